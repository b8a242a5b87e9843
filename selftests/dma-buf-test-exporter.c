// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA buffers for kselftests
 *
 * /dev/dma-buf-test-exporter makes buffers whose CPU mappings are set up as a
 * test asks for, right or wrong. /dev/dma-buf-test-importer takes a dma-buf and
 * passes its own mmap() on to dma_buf_mmap(), as drivers do that hand out
 * buffers of others.
 *
 * Some of these mappings are against the rules, so that a test can see what
 * comes of it. None of this belongs in a kernel that is used for anything else.
 */
#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/ioctl.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-buf.h>

/* For userspace, too: the kselftests have a copy. */

/* How a CPU mapping of a test buffer is set up. */
enum dma_buf_test_mapping {
	/* remap_pfn_range() of page after page, in mmap() */
	DMA_BUF_TEST_REMAP,
	/* vmf_insert_pfn() on each fault */
	DMA_BUF_TEST_PFN_FAULT,
	/* vm_insert_page() of page after page, in mmap() */
	DMA_BUF_TEST_PAGE_INSERT,
	/* a page with a reference on each fault, as for a file */
	DMA_BUF_TEST_PAGE_FAULT,
	/* as DMA_BUF_TEST_REMAP, on a VMA that may hold pages as well */
	DMA_BUF_TEST_MIXED,
	/* not at all: mmap() fails */
	DMA_BUF_TEST_ERROR,
};

/*
 * The caching that a mapping asks for. What a write-combined one shows is not
 * defined, as nothing keeps other caches out of its way.
 */
enum dma_buf_test_caching {
	DMA_BUF_TEST_CACHED,
	DMA_BUF_TEST_WRITE_COMBINED,
};

/**
 * struct dma_buf_test_export - ask for a test buffer
 * @pages: its size in pages, 1 to 1024
 * @mapping: enum dma_buf_test_mapping
 * @caching: enum dma_buf_test_caching
 * @map_info: what its exporter claims, an enum dma_buf_map_info; 0 claims
 *            nothing, and anything else is EOPNOTSUPP on a kernel without it
 * @error: what mmap() fails with, an errno, for DMA_BUF_TEST_ERROR, else 0
 * @fd_flags: O_RDWR or O_RDONLY, and O_CLOEXEC
 * @pad: 0
 * @fd: written by the kernel: the dma-buf
 */
struct dma_buf_test_export {
	__u32 pages;
	__u32 mapping;
	__u32 caching;
	__u32 map_info;
	__u32 error;
	__u32 fd_flags;
	__u32 pad;
	__s32 fd;
};

/**
 * struct dma_buf_test_mappings - ask how often a test buffer is mapped
 * @fd: the dma-buf; EINVAL for one that is no test buffer
 * @mappings: written by the kernel: VMAs that map it
 */
struct dma_buf_test_mappings {
	__s32 fd;
	__u32 mappings;
};

#define DMA_BUF_TEST_BASE	0xDE

/* On /dev/dma-buf-test-exporter. */
#define DMA_BUF_TEST_IOCTL_EXPORT	\
	_IOWR(DMA_BUF_TEST_BASE, 0, struct dma_buf_test_export)
#define DMA_BUF_TEST_IOCTL_MAPPINGS	\
	_IOWR(DMA_BUF_TEST_BASE, 1, struct dma_buf_test_mappings)

/*
 * On an open /dev/dma-buf-test-importer: keep a dma-buf, whosever it is, until
 * the file is closed; EBUSY if there is one. mmap() of the file then goes to
 * dma_buf_mmap(), and is ENODEV before.
 */
#define DMA_BUF_TEST_IOCTL_IMPORT	_IOW(DMA_BUF_TEST_BASE, 2, __s32)

#define MAX_PAGES 1024

/**
 * struct test_buffer - what is behind a dma-buf of this exporter
 * @mapping: how CPU mappings are set up, an enum dma_buf_test_mapping
 * @caching: what caching they ask for, an enum dma_buf_test_caching
 * @error: what mmap fails with if @mapping is DMA_BUF_TEST_ERROR
 * @mappings: VMAs that there are
 * @nr_pages: its size
 * @pages: its memory
 */
struct test_buffer {
	u32 mapping;
	u32 caching;
	u32 error;
	atomic_t mappings;
	u32 nr_pages;
	struct page *pages[];
};

static void test_vm_open(struct vm_area_struct *vma)
{
	struct test_buffer *buffer = vma->vm_private_data;

	atomic_inc(&buffer->mappings);
}

static void test_vm_close(struct vm_area_struct *vma)
{
	struct test_buffer *buffer = vma->vm_private_data;

	atomic_dec(&buffer->mappings);
}

static vm_fault_t test_vm_fault_pfn(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct test_buffer *buffer = vma->vm_private_data;

	if (vmf->pgoff >= buffer->nr_pages)
		return VM_FAULT_SIGBUS;

	/*
	 * With other flags vmf_insert_pfn() is a BUG(), and an importer can have
	 * changed them after mmap. So it is for copy-on-write mappings, but that
	 * is left to happen: whether they get this far is what is tested.
	 */
	if ((vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) != VM_PFNMAP)
		return VM_FAULT_SIGBUS;

	return vmf_insert_pfn(vma, vmf->address,
			      page_to_pfn(buffer->pages[vmf->pgoff]));
}

static vm_fault_t test_vm_fault_page(struct vm_fault *vmf)
{
	struct test_buffer *buffer = vmf->vma->vm_private_data;

	if (vmf->pgoff >= buffer->nr_pages)
		return VM_FAULT_SIGBUS;

	vmf->page = buffer->pages[vmf->pgoff];
	get_page(vmf->page);

	return 0;
}

static const struct vm_operations_struct test_vm_ops = {
	.open = test_vm_open,
	.close = test_vm_close,
};

static const struct vm_operations_struct test_vm_ops_pfn = {
	.open = test_vm_open,
	.close = test_vm_close,
	.fault = test_vm_fault_pfn,
};

static const struct vm_operations_struct test_vm_ops_page = {
	.open = test_vm_open,
	.close = test_vm_close,
	.fault = test_vm_fault_page,
};

static int test_remap(struct vm_area_struct *vma, struct page **pages)
{
	unsigned long addr;
	int ret;

	for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE) {
		ret = remap_pfn_range(vma, addr, page_to_pfn(*pages++),
				      PAGE_SIZE, vma->vm_page_prot);
		if (ret)
			return ret;
	}

	return 0;
}

static int test_insert(struct vm_area_struct *vma, struct page **pages)
{
	unsigned long addr;
	int ret;

	for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE) {
		ret = vm_insert_page(vma, addr, *pages++);
		if (ret)
			return ret;
	}

	return 0;
}

static int test_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct test_buffer *buffer = dmabuf->priv;
	struct page **pages;
	int ret = 0;

	if (buffer->mapping == DMA_BUF_TEST_ERROR)
		return -buffer->error;

	/*
	 * The dma-buf core has looked at the range, and an importer should have
	 * left the flags alone. This is for tests of such code, though.
	 */
	if (vma->vm_pgoff >= buffer->nr_pages ||
	    vma_pages(vma) > buffer->nr_pages - vma->vm_pgoff ||
	    vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP))
		return -EINVAL;

	if (buffer->caching == DMA_BUF_TEST_WRITE_COMBINED)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);

	pages = buffer->pages + vma->vm_pgoff;
	vma->vm_ops = &test_vm_ops;
	switch (buffer->mapping) {
	case DMA_BUF_TEST_REMAP:
		ret = test_remap(vma, pages);
		break;
	case DMA_BUF_TEST_PFN_FAULT:
		vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
		vma->vm_ops = &test_vm_ops_pfn;
		break;
	case DMA_BUF_TEST_PAGE_INSERT:
		ret = test_insert(vma, pages);
		break;
	case DMA_BUF_TEST_PAGE_FAULT:
		vma->vm_ops = &test_vm_ops_page;
		break;
	case DMA_BUF_TEST_MIXED:
		vm_flags_set(vma, VM_MIXEDMAP);
		ret = test_remap(vma, pages);
		break;
	}
	if (ret)
		return ret;

	vma->vm_private_data = buffer;
	test_vm_open(vma);

	return 0;
}

static struct sg_table *test_map_dma_buf(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir)
{
	struct test_buffer *buffer = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages(sgt, buffer->pages, buffer->nr_pages, 0,
					attach->dmabuf->size, GFP_KERNEL);
	if (ret)
		goto err_free;

	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
	if (ret)
		goto err_table;

	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void test_unmap_dma_buf(struct dma_buf_attachment *attach,
			       struct sg_table *sgt,
			       enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static void test_buffer_free(struct test_buffer *buffer)
{
	u32 i;

	for (i = 0; i < buffer->nr_pages; i++)
		__free_page(buffer->pages[i]);
	kvfree(buffer);
}

static void test_release(struct dma_buf *dmabuf)
{
	test_buffer_free(dmabuf->priv);
}

static const struct dma_buf_ops test_dma_buf_ops = {
	.map_dma_buf = test_map_dma_buf,
	.unmap_dma_buf = test_unmap_dma_buf,
	.mmap = test_mmap,
	.release = test_release,
};

static struct test_buffer *
test_buffer_alloc(const struct dma_buf_test_export *request)
{
	/*
	 * Fail before anybody is killed for it. The pages are not charged to a
	 * memory cgroup, since userspace could not map them everywhere then.
	 */
	const gfp_t gfp = GFP_USER | __GFP_ZERO | __GFP_RETRY_MAYFAIL |
			  __GFP_NOWARN;
	struct test_buffer *buffer;
	struct page *page;

	buffer = kvzalloc(struct_size(buffer, pages, request->pages),
			  GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return NULL;

	buffer->mapping = request->mapping;
	buffer->caching = request->caching;
	buffer->error = request->error;

	while (buffer->nr_pages < request->pages) {
		page = alloc_page(gfp);
		if (!page) {
			test_buffer_free(buffer);
			return NULL;
		}
		buffer->pages[buffer->nr_pages++] = page;
	}

	return buffer;
}

static int test_claim(struct dma_buf_export_info *exp_info, u32 map_info)
{
#ifdef DMA_BUF_IOCTL_INFO
	/* Wrong ones as well: the dma-buf core has to refuse them. */
	exp_info->map_info = map_info;
#else
	if (map_info)
		return -EOPNOTSUPP;
#endif
	return 0;
}

static struct dma_buf *
test_buffer_export(const struct dma_buf_test_export *request)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct test_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	ret = test_claim(&exp_info, request->map_info);
	if (ret)
		return ERR_PTR(ret);

	buffer = test_buffer_alloc(request);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	exp_info.ops = &test_dma_buf_ops;
	exp_info.size = (size_t)buffer->nr_pages << PAGE_SHIFT;
	exp_info.flags = request->fd_flags;
	exp_info.priv = buffer;

	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf))
		test_buffer_free(buffer);

	return dmabuf;
}

static bool test_request_is_valid(const struct dma_buf_test_export *request)
{
	bool fails = request->mapping == DMA_BUF_TEST_ERROR;
	u32 mode = request->fd_flags & ~O_CLOEXEC;

	if (!request->pages || request->pages > MAX_PAGES)
		return false;
	if (request->mapping > DMA_BUF_TEST_ERROR)
		return false;
	if (request->caching > DMA_BUF_TEST_WRITE_COMBINED)
		return false;
	/* From ERESTARTSYS on, error codes are the kernel's own. */
	if (request->error >= ERESTARTSYS)
		return false;
	if (fails != !!request->error)
		return false;
	if (mode != O_RDONLY && mode != O_RDWR)
		return false;

	return !request->pad;
}

static int test_ioctl_export(struct dma_buf_test_export __user *arg)
{
	struct dma_buf_test_export request;
	struct dma_buf *dmabuf;
	int fd;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	if (!test_request_is_valid(&request))
		return -EINVAL;

	fd = get_unused_fd_flags(request.fd_flags);
	if (fd < 0)
		return fd;

	dmabuf = test_buffer_export(&request);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(fd);
		return PTR_ERR(dmabuf);
	}

	if (put_user(fd, &arg->fd)) {
		dma_buf_put(dmabuf);
		put_unused_fd(fd);
		return -EFAULT;
	}

	/* From here on userspace can close it. */
	fd_install(fd, dmabuf->file);

	return 0;
}

static int test_ioctl_mappings(struct dma_buf_test_mappings __user *arg)
{
	struct test_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret = 0;
	s32 fd;

	if (get_user(fd, &arg->fd))
		return -EFAULT;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	if (dmabuf->ops == &test_dma_buf_ops) {
		buffer = dmabuf->priv;
		if (put_user(atomic_read(&buffer->mappings), &arg->mappings))
			ret = -EFAULT;
	} else {
		ret = -EINVAL;
	}
	dma_buf_put(dmabuf);

	return ret;
}

static long test_exporter_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	switch (cmd) {
	case DMA_BUF_TEST_IOCTL_EXPORT:
		return test_ioctl_export((void __user *)arg);
	case DMA_BUF_TEST_IOCTL_MAPPINGS:
		return test_ioctl_mappings((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations test_exporter_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = test_exporter_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice test_exporter = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma-buf-test-exporter",
	.fops = &test_exporter_fops,
	.mode = 0600,
};

static int test_importer_open(struct inode *inode, struct file *file)
{
	/* The misc core leaves its device there; here it is the dma-buf. */
	file->private_data = NULL;

	return 0;
}

static int test_importer_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		dma_buf_put(file->private_data);

	return 0;
}

static long test_importer_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	struct dma_buf *dmabuf;
	s32 fd;

	if (cmd != DMA_BUF_TEST_IOCTL_IMPORT)
		return -ENOTTY;
	if (get_user(fd, (__s32 __user *)arg))
		return -EFAULT;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	/* Once set it stays, so that mmap needs no lock. */
	if (cmpxchg(&file->private_data, NULL, dmabuf)) {
		dma_buf_put(dmabuf);
		return -EBUSY;
	}

	return 0;
}

static int test_importer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = READ_ONCE(file->private_data);

	if (!dmabuf)
		return -ENODEV;

	return dma_buf_mmap(dmabuf, vma, vma->vm_pgoff);
}

static const struct file_operations test_importer_fops = {
	.owner = THIS_MODULE,
	.open = test_importer_open,
	.release = test_importer_release,
	.unlocked_ioctl = test_importer_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = test_importer_mmap,
};

static struct miscdevice test_importer = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma-buf-test-importer",
	.fops = &test_importer_fops,
	.mode = 0600,
};

static int __init test_init(void)
{
	int ret;

	ret = misc_register(&test_exporter);
	if (ret)
		return ret;

	ret = misc_register(&test_importer);
	if (ret)
		misc_deregister(&test_exporter);

	return ret;
}
module_init(test_init);

static void __exit test_exit(void)
{
	misc_deregister(&test_importer);
	misc_deregister(&test_exporter);
}
module_exit(test_exit);

MODULE_DESCRIPTION("DMA buffers for kselftests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
