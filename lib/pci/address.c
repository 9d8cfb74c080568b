/* SPDX-License-Identifier: BSD-3-Clause */

/* PCI addresses: domain:bus:device.function. */

#include "pci_internal.h"
#include "spdk/log.h"

#define ADDR_PARTS 4 /* domain, bus, device, function */

/* Reads hexadecimal numbers between separators. \return how many; 0 if there is anything else. */
static int
split(const char *text, size_t len, uint32_t part[ADDR_PARTS], size_t digits[ADDR_PARTS],
      char *last_separator)
{
	int n = 0;

	*last_separator = '\0';
	for (size_t i = 0;; i++) {
		part[n] = 0;
		for (digits[n] = 0; i < len && isxdigit((unsigned char)text[i]); i++) {
			int c = tolower((unsigned char)text[i]);

			part[n] = part[n] << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
			digits[n]++;
		}
		if (digits[n] == 0 || digits[n] > 8) {
			return 0;
		}
		n++;
		if (i == len) {
			return n;
		}
		if (n == ADDR_PARTS || (text[i] != ':' && text[i] != '.')) {
			return 0;
		}
		*last_separator = text[i];
	}
}

int
udma_pci_addr_parse(struct spdk_pci_addr *addr, const char *text, size_t len)
{
	/* "bus:dev" lacks domain and function; of three parts, a full stop tells which is missing.
	 */
	static const int first_part[] = {-1, -1, 1, 1, 0};
	uint32_t part[ADDR_PARTS], full[ADDR_PARTS] = {0};
	size_t digits[ADDR_PARTS], full_digits[ADDR_PARTS] = {0};
	char separator;
	int n = split(text, len, part, digits, &separator);
	int first = first_part[n];

	if (first < 0 || (n == 4 && separator != '.')) {
		return -EINVAL;
	}
	if (n == 3 && separator == ':') {
		first = 0;
	}
	memcpy(full + first, part, (size_t)n * sizeof(part[0]));
	memcpy(full_digits + first, digits, (size_t)n * sizeof(digits[0]));
	if (full_digits[1] > 2 || full_digits[2] > 2 || full_digits[3] > 1 || full[2] > 31 ||
	    full[3] > 7) {
		return -EINVAL;
	}
	*addr = (struct spdk_pci_addr){
		.domain = full[0],
		.bus = (uint8_t)full[1],
		.dev = (uint8_t)full[2],
		.func = (uint8_t)full[3],
	};
	return 0;
}

int
spdk_pci_addr_parse(struct spdk_pci_addr *addr, const char *bdf)
{
	if (addr == NULL || bdf == NULL || udma_pci_addr_parse(addr, bdf, strlen(bdf)) != 0) {
		SPDK_ERRLOG("'%s' is not a PCI address: give domain:bus:dev.func in hexadecimal\n",
			    bdf ? bdf : "(null)");
		return -EINVAL;
	}
	return 0;
}

int
spdk_pci_addr_fmt(char *bdf, size_t sz, const struct spdk_pci_addr *addr)
{
	int n = snprintf(bdf, sz, "%04x:%02x:%02x.%x", addr->domain, addr->bus, addr->dev,
			 addr->func);

	return n > 0 && (size_t)n < sz ? 0 : -1;
}

int
spdk_pci_addr_compare(const struct spdk_pci_addr *a1, const struct spdk_pci_addr *a2)
{
	if (a1->domain != a2->domain) {
		return a1->domain < a2->domain ? -1 : 1;
	}
	if (a1->bus != a2->bus) {
		return a1->bus < a2->bus ? -1 : 1;
	}
	if (a1->dev != a2->dev) {
		return a1->dev < a2->dev ? -1 : 1;
	}
	return (a1->func > a2->func) - (a1->func < a2->func);
}
