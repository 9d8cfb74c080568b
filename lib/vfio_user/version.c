/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * The negotiation (section 4).
 */

#include "server_internal.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

/* Short: QEMU takes no reply that is longer than its proposal. */
static const char g_capabilities[] =
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,"
	"\"write_multiple\":true}}";

#define JSON_DEPTH 16

/* What holds for a client that does not say. */
#define DEFAULT_MAX_FDS  1
#define DEFAULT_MAX_XFER UDMA_VU_MAX_XFER

#define MOST_MAX_FDS 1024

/** \return 0, with the default if there is no such member; -EINVAL if it is not from min to max. */
static int
get_number(struct json_object *capabilities, const char *name, int64_t min, int64_t max,
	   int64_t *number)
{
	struct json_object *member;

	if (!json_object_object_get_ex(capabilities, name, &member)) {
		return 0;
	}
	if (!json_object_is_type(member, json_type_int)) {
		return -EINVAL;
	}
	*number = json_object_get_int64(member);
	return *number >= min && *number <= max ? 0 : -EINVAL;
}

static int
read_capabilities(struct udma_vu_server *server, struct json_object *root)
{
	struct json_object *capabilities, *member;
	int64_t max_fds = DEFAULT_MAX_FDS, max_xfer = DEFAULT_MAX_XFER;

	if (!json_object_is_type(root, json_type_object)) {
		return -EINVAL;
	}
	if (!json_object_object_get_ex(root, "capabilities", &capabilities)) {
		return 0;
	}
	if (!json_object_is_type(capabilities, json_type_object) ||
	    get_number(capabilities, "max_msg_fds", 0, MOST_MAX_FDS, &max_fds) != 0 ||
	    get_number(capabilities, "max_data_xfer_size", 1, INT64_MAX, &max_xfer) != 0) {
		return -EINVAL;
	}
	if (json_object_object_get_ex(capabilities, "write_multiple", &member) &&
	    !json_object_is_type(member, json_type_boolean)) {
		return -EINVAL;
	}
	server->client_max_fds = (unsigned)max_fds;
	server->client_max_xfer =
		max_xfer < UDMA_VU_MAX_XFER ? (uint32_t)max_xfer : UDMA_VU_MAX_XFER;
	return 0;
}

/** \param text ends with a NUL, and has no other. */
static int
read_json(struct udma_vu_server *server, const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *root;
	int rc = -EINVAL;

	if (tokener == NULL) {
		return -ENOMEM;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	if (root != NULL && json_tokener_get_error(tokener) == json_tokener_success) {
		rc = read_capabilities(server, root);
	}
	json_object_put(root);
	json_tokener_free(tokener);
	return rc;
}

int
udma_vu_negotiate(struct udma_vu_server *server, const void *payload, size_t size,
		  struct udma_vu_version *version, const char **json)
{
	const char *text = (const char *)payload + sizeof(*version);
	size_t len = size - sizeof(*version);
	int rc;

	if (size < sizeof(*version)) {
		return -EINVAL;
	}
	memcpy(version, payload, sizeof(*version));
	if (version->major != UDMA_VU_MAJOR) {
		return -EINVAL;
	}
	server->client_max_fds = DEFAULT_MAX_FDS;
	server->client_max_xfer = DEFAULT_MAX_XFER;
	if (len > 0) {
		if (memchr(text, '\0', len) != text + len - 1) {
			return -EINVAL;
		}
		rc = read_json(server, text, len);
		if (rc != 0) {
			return rc;
		}
	}
	if (version->minor > UDMA_VU_MINOR) {
		version->minor = UDMA_VU_MINOR;
	}
	*json = g_capabilities;
	return 0;
}
