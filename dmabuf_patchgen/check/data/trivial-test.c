// SPDX-License-Identifier: GPL-2.0-only
/* A test of nothing that uses what the harness offers. */
#include "../kselftest_harness.h"

FIXTURE(trivial) {
	int value;
};

FIXTURE_VARIANT(trivial) {
	int value;
};

FIXTURE_VARIANT_ADD(trivial, one) {
	.value = 1,
};

FIXTURE_SETUP(trivial)
{
	self->value = variant->value;
}

FIXTURE_TEARDOWN(trivial)
{
}

TEST_F(trivial, has_its_value)
{
	if (self->value != 1)
		SKIP(return, "another variant");
	ASSERT_EQ(1, self->value);
	EXPECT_NE(0, self->value) {
		TH_LOG("value %d", self->value);
	}
}

TEST(of_nothing)
{
	ASSERT_STREQ("a", "a");
}

TEST_HARNESS_MAIN
