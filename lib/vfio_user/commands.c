/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * What each command does and answers (sections 4 to 10; what malformed ones get: 15 and 16).
 */

#include "server_internal.h"

#include <errno.h>
#include <string.h>

/** What goes back: two parts one behind the other, and perhaps a descriptor. */
struct reply {
	const void *first;
	size_t first_size;
	const void *second;
	size_t second_size;
	int fd;
};

/** Room for the fixed part of any reply. */
union fixed {
	struct udma_vu_version version;
	struct udma_vu_dma_unmap unmap;
	struct udma_vu_device_info info;
	struct {
		struct udma_vu_region_info info;
		struct udma_vu_sparse sparse;
	} region;
	struct udma_vu_irq_info irq;
	struct udma_vu_region_access access;
	uint64_t count;
};

static int
reply_with(struct reply *reply, const void *first, size_t size)
{
	reply->first = first;
	reply->first_size = size;
	return 0;
}

/** Copies the fixed part of a request. \return 0; -EINVAL if there is less. */
static int
take(const struct udma_vu_message *message, void *fixed, size_t size)
{
	if (message->size < size) {
		return -EINVAL;
	}
	memcpy(fixed, message->payload, size);
	return 0;
}

/* ---- Section 4 ---- */

static int
do_version(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	   struct reply *reply)
{
	const char *json;
	int rc;

	if (server->negotiated) {
		return -EINVAL;
	}
	if (message->fd_count > 0 || message->fds_lost) {
		rc = -EINVAL;
	} else {
		rc = udma_vu_negotiate(server, message->payload, message->size, &fixed->version,
				       &json);
	}
	if (rc != 0) {
		server->broken = rc;
		return rc;
	}
	server->negotiated = true;
	reply->second = json;
	reply->second_size = strlen(json) + 1;
	return reply_with(reply, &fixed->version, sizeof(fixed->version));
}

/* ---- Section 5 ---- */

static int
do_dma_map(struct udma_vu_server *server, struct udma_vu_message *message)
{
	struct udma_vu_dma_map map;
	int rc = take(message, &map, sizeof(map));

	if (rc != 0 || message->fd_count > 1 || message->fds_lost) {
		return -EINVAL;
	}
	rc = udma_vu_dma_map(&server->dma, &map, message->fd_count > 0 ? message->fds[0] : -1);
	if (rc == -ENOSPC && !server->was_full) {
		server->was_full = true;
		udma_vu_tell(server, UDMA_VU_EVENT_FULL, server->dma.count);
	}
	return rc;
}

/* The engine is between two descriptors whenever a command is carried out: nothing is in flight. */
static int
do_dma_unmap(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	     struct reply *reply)
{
	struct udma_vu_dma_unmap *unmap = &fixed->unmap;
	int rc = take(message, unmap, sizeof(*unmap));

	if (rc != 0 || unmap->argsz < sizeof(*unmap) ||
	    (unmap->flags & ~UDMA_VU_DMA_UNMAP_ALL) != 0) {
		return -EINVAL;
	}
	if (unmap->flags & UDMA_VU_DMA_UNMAP_ALL) {
		if (unmap->address != 0 || unmap->size != 0) {
			return -EINVAL;
		}
		udma_vu_dma_unmap_all(&server->dma);
	} else {
		rc = udma_vu_dma_unmap(&server->dma, unmap->address, unmap->size);
		if (rc != 0) {
			return rc;
		}
	}
	return reply_with(reply, unmap, sizeof(*unmap));
}

/* ---- Section 6 ---- */

static int
do_info(struct udma_vu_message *message, union fixed *fixed, struct reply *reply)
{
	struct udma_vu_device_info *info = &fixed->info;

	if (take(message, info, sizeof(*info)) != 0 || info->argsz < sizeof(*info)) {
		return -EINVAL;
	}
	*info = (struct udma_vu_device_info){
		.argsz = sizeof(*info),
		.flags = UDMA_VU_INFO_RESET | UDMA_VU_INFO_PCI,
		.num_regions = UDMA_VU_REGIONS,
		.num_irqs = UDMA_VU_IRQS,
	};
	return reply_with(reply, info, sizeof(*info));
}

/** The registers are in the first page; what is behind is MSI-X, and heard of by messages. */
static void
offer_mapping(struct udma_vu_server *server, union fixed *fixed, uint32_t argsz,
	      struct reply *reply)
{
	struct udma_vu_region_info *info = &fixed->region.info;

	info->flags |= UDMA_VU_REGION_FLAG_MMAP;
	info->argsz = sizeof(fixed->region);
	if (argsz < sizeof(fixed->region)) {
		return;
	}
	info->flags |= UDMA_VU_REGION_FLAG_CAPS;
	info->cap_offset = sizeof(*info);
	fixed->region.sparse = (struct udma_vu_sparse){
		.id = UDMA_VU_CAP_SPARSE_MMAP,
		.version = 1,
		.nr_areas = 1,
		.area_size = UDMA_VU_DMA_PAGE_SIZE,
	};
	reply->fd = server->bar_fd;
	reply->first_size = sizeof(fixed->region);
}

static int
do_region_info(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	       struct reply *reply)
{
	struct udma_vu_region_info *info = &fixed->region.info;
	uint32_t argsz;

	if (take(message, info, sizeof(*info)) != 0 || info->argsz < sizeof(*info) ||
	    info->index >= UDMA_VU_REGIONS) {
		return -EINVAL;
	}
	argsz = info->argsz;
	*info = (struct udma_vu_region_info){.argsz = sizeof(*info), .index = info->index};
	reply_with(reply, info, sizeof(*info));
	if (info->index == UDMA_VU_REGION_BAR0) {
		info->size = UDMA_EMU_BAR_SIZE;
	} else if (info->index == UDMA_VU_REGION_CONFIG) {
		info->size = UDMA_EMU_CFG_SIZE;
	}
	if (info->size > 0) {
		info->flags = UDMA_VU_REGION_FLAG_READ | UDMA_VU_REGION_FLAG_WRITE;
	}
	if (info->index == UDMA_VU_REGION_BAR0 && server->bar_fd >= 0 &&
	    server->client_max_fds > 0) {
		offer_mapping(server, fixed, argsz, reply);
	}
	return 0;
}

static int
do_irq_info(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	    struct reply *reply)
{
	struct udma_vu_irq_info *info = &fixed->irq;

	if (take(message, info, sizeof(*info)) != 0 || info->argsz < sizeof(*info) ||
	    info->index >= UDMA_VU_IRQS) {
		return -EINVAL;
	}
	info->argsz = sizeof(*info);
	info->flags = UDMA_VU_IRQ_EVENTFD;
	info->count = udma_vu_irq_count(server, info->index);
	return reply_with(reply, info, sizeof(*info));
}

/* ---- Section 8 ---- */

static uint64_t
region_size(uint32_t region)
{
	switch (region) {
	case UDMA_VU_REGION_BAR0:
		return UDMA_EMU_BAR_SIZE;
	case UDMA_VU_REGION_CONFIG:
		return UDMA_EMU_CFG_SIZE;
	default:
		return 0;
	}
}

static int
check_access(const struct udma_vu_region_access *access)
{
	uint64_t size = region_size(access->region);

	return size > 0 && access->count <= UDMA_VU_MAX_XFER && access->offset <= size &&
			       access->count <= size - access->offset
		       ? 0
		       : -EINVAL;
}

/** \return the width of the next register access of a range: the largest that is aligned. */
static unsigned
width_at(uint64_t offset, uint64_t left)
{
	unsigned width = 8;

	while (offset % width != 0 || width > left) {
		width /= 2;
	}
	return width;
}

/** Registers that are polled are memory, also for a client that sends messages. */
static bool
is_polled(const struct udma_vu_server *server, uint64_t offset)
{
	return server->bar_fd >= 0 && offset < UDMA_VU_DMA_PAGE_SIZE;
}

static void
read_bar(struct udma_vu_server *server, uint64_t offset, uint8_t *to, uint64_t count)
{
	while (count > 0) {
		unsigned width = width_at(offset, count);
		uint64_t value;

		if (is_polled(server, offset)) {
			memcpy(to, server->watch.bar + offset, width);
		} else {
			value = udma_emu_read(server->emu, (uint32_t)offset, width);
			memcpy(to, &value, width);
		}
		offset += width;
		to += width;
		count -= width;
	}
}

static void
write_bar(struct udma_vu_server *server, uint64_t offset, const uint8_t *from, uint64_t count)
{
	server->may_run = true;
	while (count > 0) {
		unsigned width = width_at(offset, count);
		uint64_t value = 0;

		memcpy(&value, from, width);
		if (is_polled(server, offset)) {
			memcpy(server->watch.bar + offset, from, width);
			udma_emu_watch_look(&server->watch);
			udma_emu_watch_publish(&server->watch);
		} else {
			udma_emu_write(server->emu, (uint32_t)offset, width, value);
		}
		offset += width;
		from += width;
		count -= width;
	}
}

static int
write_config(struct udma_vu_server *server, uint64_t offset, const uint8_t *from, uint64_t count)
{
	uint64_t resets = udma_emu_resets(server->emu);
	int rc = udma_emu_cfg_write(server->emu, (uint32_t)offset, from, (uint32_t)count);

	if (udma_emu_resets(server->emu) != resets) { /* function-level */
		udma_vu_publish(server);
		udma_vu_tell(server, UDMA_VU_EVENT_RESET, 0);
	}
	return rc;
}

static int
do_region_read(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	       struct reply *reply)
{
	struct udma_vu_region_access *access = &fixed->access;

	if (take(message, access, sizeof(*access)) != 0 || check_access(access) != 0) {
		return -EINVAL;
	}
	if (access->region == UDMA_VU_REGION_CONFIG) {
		int rc = udma_emu_cfg_read(server->emu, (uint32_t)access->offset, server->scratch,
					   access->count);

		if (rc != 0) {
			return rc; /* a fault */
		}
	} else {
		read_bar(server, access->offset, server->scratch, access->count);
	}
	reply->second = server->scratch;
	reply->second_size = access->count;
	return reply_with(reply, access, sizeof(*access));
}

static int
write_region(struct udma_vu_server *server, const struct udma_vu_region_access *access,
	     const uint8_t *data)
{
	if (access->region == UDMA_VU_REGION_CONFIG) {
		return write_config(server, access->offset, data, access->count);
	}
	write_bar(server, access->offset, data, access->count);
	return 0;
}

static int
do_region_write(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
		struct reply *reply)
{
	struct udma_vu_region_access *access = &fixed->access;
	int rc;

	if (take(message, access, sizeof(*access)) != 0 || check_access(access) != 0 ||
	    message->size - sizeof(*access) != access->count) {
		return -EINVAL;
	}
	rc = write_region(server, access, message->payload + sizeof(*access));
	return rc != 0 ? rc : reply_with(reply, access, sizeof(*access));
}

/** In order, as far as the first one that is wrong; the answer says how far that was. */
static int
do_write_multi(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	       struct reply *reply)
{
	uint64_t count, done;

	if (take(message, &count, sizeof(count)) != 0 ||
	    (message->size - sizeof(count)) % sizeof(struct udma_vu_multi_entry) != 0 ||
	    (message->size - sizeof(count)) / sizeof(struct udma_vu_multi_entry) != count) {
		return -EINVAL;
	}
	for (done = 0; done < count; done++) {
		struct udma_vu_multi_entry entry;
		struct udma_vu_region_access access;

		memcpy(&entry, message->payload + sizeof(count) + done * sizeof(entry),
		       sizeof(entry));
		access = (struct udma_vu_region_access){
			.offset = entry.offset, .region = entry.region, .count = entry.count};
		if (entry.count == 0 || entry.count > sizeof(entry.data) ||
		    check_access(&access) != 0 || write_region(server, &access, entry.data) != 0) {
			break;
		}
	}
	fixed->count = done;
	return reply_with(reply, &fixed->count, sizeof(fixed->count));
}

/* ---- Section 10 ---- */

static int
do_reset(struct udma_vu_server *server)
{
	udma_emu_reset(server->emu);
	udma_vu_publish(server);
	server->may_run = true;
	udma_vu_tell(server, UDMA_VU_EVENT_RESET, 0);
	return 0;
}

/* ---- Any command ---- */

static int
dispatch(struct udma_vu_server *server, struct udma_vu_message *message, union fixed *fixed,
	 struct reply *reply)
{
	switch (message->header.command) {
	case UDMA_VU_VERSION:
		return do_version(server, message, fixed, reply);
	case UDMA_VU_DMA_MAP:
		return do_dma_map(server, message);
	case UDMA_VU_DMA_UNMAP:
		return do_dma_unmap(server, message, fixed, reply);
	case UDMA_VU_DEVICE_GET_INFO:
		return do_info(message, fixed, reply);
	case UDMA_VU_DEVICE_GET_REGION_INFO:
		return do_region_info(server, message, fixed, reply);
	case UDMA_VU_DEVICE_GET_IRQ_INFO:
		return do_irq_info(server, message, fixed, reply);
	case UDMA_VU_DEVICE_SET_IRQS:
		return udma_vu_set_irqs(server, message);
	case UDMA_VU_REGION_READ:
		return do_region_read(server, message, fixed, reply);
	case UDMA_VU_REGION_WRITE:
		return do_region_write(server, message, fixed, reply);
	case UDMA_VU_REGION_WRITE_MULTI:
		return do_write_multi(server, message, fixed, reply);
	case UDMA_VU_DEVICE_RESET:
		return do_reset(server);
	default:
		/* DEVICE_GET_REGION_IO_FDS, features and migration among them. */
		return -EINVAL;
	}
}

static void
send_reply(struct udma_vu_server *server, const struct udma_vu_header *command, int error,
	   const struct reply *reply)
{
	struct udma_vu_header header = {
		.id = command->id,
		.command = command->command,
		.size = (uint32_t)(sizeof(header) + reply->first_size + reply->second_size),
		.flags = UDMA_VU_TYPE_REPLY | (error != 0 ? UDMA_VU_ERROR : 0),
		.error = (uint32_t)error,
	};
	int rc;

	if (command->flags & UDMA_VU_NO_REPLY) {
		return;
	}
	rc = udma_vu_link_send(&server->link, &header, reply->first, reply->first_size,
			       reply->second, reply->second_size, reply->fd);
	if (rc != 0 && server->broken == 0) {
		server->broken = rc;
	}
}

void
udma_vu_reply_error(struct udma_vu_server *server, const struct udma_vu_header *header, int error)
{
	send_reply(server, header, error, &(struct reply){.fd = -1});
}

void
udma_vu_execute(struct udma_vu_server *server, struct udma_vu_message *message)
{
	uint32_t type = message->header.flags & UDMA_VU_TYPE;
	struct reply reply = {.fd = -1};
	union fixed fixed;
	int rc;

	UDMA_VU_COUNT(server, messages, 1);
	if (type == UDMA_VU_TYPE_REPLY) {
		return; /* to nothing that we have asked */
	}
	if (type != UDMA_VU_TYPE_COMMAND) {
		rc = -EINVAL;
	} else if (!server->negotiated && message->header.command != UDMA_VU_VERSION) {
		rc = -EINVAL;
		server->broken = rc;
	} else {
		rc = dispatch(server, message, &fixed, &reply);
	}
	if (rc != 0) {
		udma_vu_reply_error(server, &message->header, -rc);
	} else {
		send_reply(server, &message->header, 0, &reply);
	}
}
