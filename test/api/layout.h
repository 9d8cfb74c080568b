/* SPDX-License-Identifier: BSD-3-Clause */

/* What a layout test says of a header, checked by the compiler. */

#ifndef UDMA_TEST_LAYOUT_H
#define UDMA_TEST_LAYOUT_H

/** A constant has a value. */
#define IS(name, value) _Static_assert((name) == (value), #name " is " #value)

/** A type has a size. */
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has " #size " bytes")

/** A field has a type (exactly: no conversion helps) and an offset. */
#define FIELD(structure, name, type, offset)                                                       \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((structure *)0)->name),            \
						    __typeof__(type)),                             \
		       #structure "." #name " is " #type);                                         \
	_Static_assert(offsetof(structure, name) == (offset),                                      \
		       #structure "." #name " is at " #offset)

#endif
