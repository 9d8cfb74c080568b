/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The devices that can be had, and the providers that can make more appear.
 *
 * The lock covers the lists and is never held while a callback runs: a callback may attach, detach,
 * hook, unhook and enumerate. After a callback a device may be gone, so a walk goes on by address,
 * not from a device, and a device is looked up before it is touched again.
 */

#include "pci_internal.h"
#include "../env/env_internal.h"
#include "spdk/log.h"

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(, spdk_pci_device) g_devices = TAILQ_HEAD_INITIALIZER(g_devices); /* by address */
static TAILQ_HEAD(, spdk_pci_device_provider) g_providers = TAILQ_HEAD_INITIALIZER(g_providers);

static const char *
addr_text(char text[UDMA_PCI_ADDR_LEN], const struct spdk_pci_addr *addr)
{
	spdk_pci_addr_fmt(text, UDMA_PCI_ADDR_LEN, addr);
	return text;
}

/* By identity, without a look into what may be gone. Under the lock. */
static bool
is_listed(const struct spdk_pci_device *wanted)
{
	struct spdk_pci_device *dev;

	TAILQ_FOREACH (dev, &g_devices, internal.tailq) {
		if (dev == wanted) {
			return true;
		}
	}
	return false;
}

/* The first device at `from` or above. Under the lock. */
static struct spdk_pci_device *
first_from(const struct spdk_pci_addr *from)
{
	struct spdk_pci_device *dev;

	TAILQ_FOREACH (dev, &g_devices, internal.tailq) {
		if (spdk_pci_addr_compare(&dev->addr, from) >= 0) {
			return dev;
		}
	}
	return NULL;
}

static struct spdk_pci_device *
find_at(const struct spdk_pci_addr *addr)
{
	struct spdk_pci_device *dev = first_from(addr);

	return dev != NULL && spdk_pci_addr_compare(&dev->addr, addr) == 0 ? dev : NULL;
}

/* Moves to the next possible address. \return false after the last. */
static bool
step_addr(struct spdk_pci_addr *addr)
{
	return ++addr->func != 0 || ++addr->dev != 0 || ++addr->bus != 0 || ++addr->domain != 0;
}

int
udma_pci_init(const struct spdk_env_opts *opts, struct udma_pci_reach *reach)
{
	int rc = udma_pci_lists_init(opts);

	if (rc == 0) {
		udma_pci_real_init(!opts->no_pci, reach);
	}
	return rc;
}

static struct spdk_pci_device *
first_attached(void)
{
	struct spdk_pci_device *dev;

	pthread_mutex_lock(&g_lock);
	TAILQ_FOREACH (dev, &g_devices, internal.tailq) {
		if (dev->internal.attached) {
			break;
		}
	}
	pthread_mutex_unlock(&g_lock);
	return dev;
}

void
udma_pci_fini(void)
{
	char text[UDMA_PCI_ADDR_LEN];
	struct spdk_pci_device *dev;

	while ((dev = first_attached()) != NULL) {
		SPDK_NOTICELOG("%s is still attached at the end of the environment: detaching it\n",
			       addr_text(text, &dev->addr));
		spdk_pci_device_detach(dev);
	}
	udma_pci_real_fini();
	udma_pci_lists_fini();
}

int
spdk_pci_hook_device(struct spdk_pci_driver *drv, struct spdk_pci_device *dev)
{
	char text[UDMA_PCI_ADDR_LEN];
	struct spdk_pci_device *after;
	bool taken;

	if (drv == NULL || dev == NULL || dev->map_bar == NULL || dev->unmap_bar == NULL ||
	    dev->cfg_read == NULL || dev->cfg_write == NULL) {
		SPDK_ERRLOG("cannot hook a PCI device: driver, device or one of its functions is "
			    "NULL; give them all\n");
		return -EINVAL;
	}
	pthread_mutex_lock(&g_lock);
	taken = is_listed(dev) || find_at(&dev->addr) != NULL;
	if (!taken) {
		dev->internal = (struct _spdk_pci_device_internal){.driver = drv, .claim_fd = -1};
		after = first_from(&dev->addr);
		if (after != NULL) {
			TAILQ_INSERT_BEFORE(after, dev, internal.tailq);
		} else {
			TAILQ_INSERT_TAIL(&g_devices, dev, internal.tailq);
		}
	}
	pthread_mutex_unlock(&g_lock);
	if (taken) {
		SPDK_ERRLOG(
			"cannot hook a PCI device at %s: there is one; choose another address\n",
			addr_text(text, &dev->addr));
		return -EEXIST;
	}
	return 0;
}

void
spdk_pci_unhook_device(struct spdk_pci_device *dev)
{
	char text[UDMA_PCI_ADDR_LEN];
	bool listed, attached = false;

	pthread_mutex_lock(&g_lock);
	listed = is_listed(dev);
	if (listed) {
		attached = dev->internal.attached;
	}
	if (listed && !attached) {
		TAILQ_REMOVE(&g_devices, dev, internal.tailq);
	}
	pthread_mutex_unlock(&g_lock);
	if (!listed) {
		SPDK_ERRLOG("cannot unhook a PCI device that is not hooked\n");
	} else if (attached) {
		SPDK_ERRLOG("cannot unhook %s: it is attached; detach it first\n",
			    addr_text(text, &dev->addr));
	} else {
		udma_pci_interrupts_forget(dev);
		spdk_pci_device_unclaim(dev);
		dev->internal = (struct _spdk_pci_device_internal){0};
	}
}

void
spdk_pci_register_device_provider(struct spdk_pci_device_provider *provider)
{
	struct spdk_pci_device_provider *known;

	if (provider == NULL || provider->name == NULL) {
		SPDK_ERRLOG("cannot register a PCI device provider without a name\n");
		return;
	}
	pthread_mutex_lock(&g_lock);
	TAILQ_FOREACH (known, &g_providers, tailq) {
		if (known == provider) {
			break;
		}
	}
	if (known == NULL) {
		TAILQ_INSERT_TAIL(&g_providers, provider, tailq);
	}
	pthread_mutex_unlock(&g_lock);
}

/* Neither attached nor going. Under the lock. */
static bool
is_free(const struct spdk_pci_device *dev)
{
	return !dev->internal.attached &&
	       !__atomic_load_n(&dev->internal.removed, __ATOMIC_RELAXED) &&
	       !dev->internal.pending_removal;
}

/* The lists are about what the library finds; what a program hooks itself, it wants. */
static bool
is_listed_out(const struct spdk_pci_device *dev)
{
	bool ours = dev->type != NULL &&
		    (strcmp(dev->type, "pci") == 0 || strcmp(dev->type, "emulated") == 0);

	return ours && !udma_pci_is_allowed(&dev->addr);
}

/*
 * Offers a free device; entered with the lock held, left without. It counts as attached from
 * before the callback, so that a detach from inside is not undone by its return.
 */
static int
offer(struct spdk_pci_device *dev, spdk_pci_enum_cb enum_cb, void *enum_ctx)
{
	int rc;

	dev->internal.attached = true;
	pthread_mutex_unlock(&g_lock);
	rc = enum_cb(enum_ctx, dev);
	if (rc != 0) {
		udma_pci_interrupts_off(dev);
		udma_pci_real_close(dev);
		pthread_mutex_lock(&g_lock);
		if (is_listed(dev)) {
			dev->internal.attached = false;
		}
		pthread_mutex_unlock(&g_lock);
	}
	return rc;
}

static bool
may_offer(const struct spdk_pci_driver *driver, spdk_pci_enum_cb enum_cb)
{
	const char *why = NULL;

	if (!udma_env_is_initialized()) {
		why = "the environment has not been started; call spdk_env_init() first";
	} else if (driver == NULL) {
		why = "the driver is NULL; register it first";
	} else if (enum_cb == NULL) {
		why = "the callback is NULL; give one";
	}
	if (why != NULL) {
		SPDK_ERRLOG("cannot offer PCI devices: %s\n", why);
	}
	return why == NULL;
}

int
spdk_pci_enumerate(struct spdk_pci_driver *driver, spdk_pci_enum_cb enum_cb, void *enum_ctx)
{
	struct spdk_pci_addr at = {0};
	char text[UDMA_PCI_ADDR_LEN];
	struct spdk_pci_device *dev;
	int result = 0, rc;

	if (!may_offer(driver, enum_cb)) {
		return -1;
	}
	udma_pci_real_find();
	do {
		pthread_mutex_lock(&g_lock);
		dev = first_from(&at);
		if (dev == NULL) {
			pthread_mutex_unlock(&g_lock);
			break;
		}
		at = dev->addr;
		if (dev->internal.driver != driver || !is_free(dev) || is_listed_out(dev)) {
			pthread_mutex_unlock(&g_lock);
			continue;
		}
		rc = offer(dev, enum_cb, enum_ctx);
		if (rc < 0) {
			SPDK_ERRLOG("%s was not taken (%d): going on with the others\n",
				    addr_text(text, &at), rc);
			result = -1;
		}
	} while (step_addr(&at));
	return result;
}

void
spdk_pci_for_each_device(void *ctx, void (*fn)(void *ctx, struct spdk_pci_device *dev))
{
	struct spdk_pci_addr at = {0};
	struct spdk_pci_device *dev;

	do {
		pthread_mutex_lock(&g_lock);
		dev = first_from(&at);
		if (dev != NULL) {
			at = dev->addr;
		}
		pthread_mutex_unlock(&g_lock);
		if (dev == NULL) {
			return;
		}
		fn(ctx, dev);
	} while (step_addr(&at));
}

/* Asks the providers until the device has appeared. Entered and left with the lock held. */
static struct spdk_pci_device *
find_or_provide(const struct spdk_pci_addr *addr)
{
	struct spdk_pci_device *dev = find_at(addr);
	struct spdk_pci_device_provider *provider;
	int rc;

	/* Providers stay for good, so the walk survives the lock being let go. */
	for (provider = TAILQ_FIRST(&g_providers); dev == NULL && provider != NULL;
	     provider = TAILQ_NEXT(provider, tailq)) {
		if (provider->attach_cb == NULL) {
			continue;
		}
		pthread_mutex_unlock(&g_lock);
		rc = provider->attach_cb(addr);
		pthread_mutex_lock(&g_lock);
		if (rc == 0) {
			dev = find_at(addr);
		}
	}
	return dev;
}

int
spdk_pci_device_attach(struct spdk_pci_driver *driver, spdk_pci_enum_cb enum_cb, void *enum_ctx,
		       struct spdk_pci_addr *pci_address)
{
	char text[UDMA_PCI_ADDR_LEN];
	struct spdk_pci_device *dev;
	struct spdk_pci_addr addr;
	const char *why;

	if (!may_offer(driver, enum_cb)) {
		return -1;
	}
	if (pci_address == NULL) {
		SPDK_ERRLOG("cannot attach a PCI device: the address is NULL; give one\n");
		return -1;
	}
	addr = *pci_address; /* it may be the device's own, which a provider may free */
	udma_pci_real_find();
	pthread_mutex_lock(&g_lock);
	dev = find_or_provide(&addr);
	if (dev != NULL && dev->internal.driver == driver && is_free(dev)) {
		return offer(dev, enum_cb, enum_ctx) == 0 ? 0 : -1;
	}
	if (dev == NULL) {
		why = "there is no such device; bind it to vfio-pci or uio_pci_generic";
	} else if (dev->internal.driver != driver) {
		why = "it belongs to another driver";
	} else if (dev->internal.attached) {
		why = "it is attached already; detach it first";
	} else {
		why = "it is being removed";
	}
	pthread_mutex_unlock(&g_lock);
	SPDK_ERRLOG("cannot attach %s: %s\n", addr_text(text, &addr), why);
	return -1;
}

/* The provider whose devices are of a type. Under the lock. */
static struct spdk_pci_device_provider *
find_provider(const char *type)
{
	struct spdk_pci_device_provider *provider;

	TAILQ_FOREACH (provider, &g_providers, tailq) {
		if (type != NULL && strcmp(provider->name, type) == 0) {
			break;
		}
	}
	return provider;
}

void
spdk_pci_device_detach(struct spdk_pci_device *device)
{
	struct spdk_pci_device_provider *provider = NULL;
	bool listed, attached = false;

	pthread_mutex_lock(&g_lock);
	listed = is_listed(device);
	if (listed) {
		attached = device->internal.attached;
		device->internal.attached = false;
		provider = find_provider(device->type);
	}
	pthread_mutex_unlock(&g_lock);
	if (listed) {
		udma_pci_interrupts_off(device);
		udma_pci_real_close(device);
		spdk_pci_device_unclaim(device);
	}
	/* The provider may free the device: nothing touches it after this. */
	if (attached && provider != NULL && provider->detach_cb != NULL) {
		provider->detach_cb(device);
	}
}
