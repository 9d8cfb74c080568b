/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Lists and tail queues: glibc's <sys/queue.h>, and what it lacks: loops that may remove the
 * current element, and a few more.
 */

#ifndef SPDK_QUEUE_H
#define SPDK_QUEUE_H

#include <stddef.h>
#include <sys/cdefs.h>
#include <sys/queue.h>

#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, tvar)                                                 \
	for ((var) = TAILQ_FIRST(head); (var) && ((tvar) = TAILQ_NEXT(var, field), 1);             \
	     (var) = (tvar))
#endif

/** Exchanges the elements of two lists. */
#ifndef TAILQ_SWAP
#define TAILQ_SWAP(head1, head2, type, field)                                                      \
	do {                                                                                       \
		__typeof__(*(head1)) tailq_swap_held = TAILQ_HEAD_INITIALIZER(tailq_swap_held);    \
		TAILQ_CONCAT(&tailq_swap_held, head1, field);                                      \
		TAILQ_CONCAT(head1, head2, field);                                                 \
		TAILQ_CONCAT(head2, &tailq_swap_held, field);                                      \
	} while (0)
#endif

/** The last element, a struct `type` linked by `field`; NULL if there is none. */
#ifndef STAILQ_LAST
#define STAILQ_LAST(head, type, field)                                                             \
	(STAILQ_EMPTY(head) ? NULL                                                                 \
			    : (struct type *)(void *)((char *)(head)->stqh_last -                  \
						      offsetof(struct type, field.stqe_next)))
#endif

#ifndef STAILQ_FOREACH_SAFE
#define STAILQ_FOREACH_SAFE(var, head, field, tvar)                                                \
	for ((var) = STAILQ_FIRST(head); (var) && ((tvar) = STAILQ_NEXT(var, field), 1);           \
	     (var) = (tvar))
#endif

#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, tvar)                                                  \
	for ((var) = LIST_FIRST(head); (var) && ((tvar) = LIST_NEXT(var, field), 1); (var) = (tvar))
#endif

#ifndef SLIST_FOREACH_SAFE
#define SLIST_FOREACH_SAFE(var, head, field, tvar)                                                 \
	for ((var) = SLIST_FIRST(head); (var) && ((tvar) = SLIST_NEXT(var, field), 1);             \
	     (var) = (tvar))
#endif

#ifndef TAILQ_FOREACH_REVERSE_SAFE
#define TAILQ_FOREACH_REVERSE_SAFE(var, head, headname, field, tvar)                               \
	for ((var) = TAILQ_LAST(head, headname);                                                   \
	     (var) && ((tvar) = TAILQ_PREV(var, headname, field), 1); (var) = (tvar))
#endif

#endif
