/* SPDX-License-Identifier: BSD-3-Clause */

/** \file
 * Logging.
 *
 * Every message has a level. What is at or below the print level (NOTICE unless changed) goes to
 * stderr as `file:line:function: *LEVEL*: text`, or to the function given to spdk_log_open().
 * INFO and DEBUG messages are printed only while their flag is on as well. All calls may be made
 * from any thread, except open and close.
 */

#ifndef SPDK_LOG_H
#define SPDK_LOG_H

#include "spdk/stdinc.h"
#include "spdk/queue.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum spdk_log_level {
	/** As a print level: prints nothing. No message has it. */
	SPDK_LOG_DISABLED = -1,
	SPDK_LOG_ERROR,
	SPDK_LOG_WARN,
	SPDK_LOG_NOTICE,
	SPDK_LOG_INFO,
	SPDK_LOG_DEBUG,
};

/**
 * Receives messages in place of stderr.
 *
 * \param level level of the message, never above the log level.
 * \param file, line, func where it was logged; `file` and `func` may be NULL.
 * \param format, args the text, as for vprintf().
 */
typedef void(logfunc)(int level, const char *file, const int line, const char *func,
		      const char *format, va_list args);

/**
 * Starts logging.
 *
 * \param log receives every message that is at or below the log level; NULL for stderr.
 */
void spdk_log_open(logfunc *log);

/** Goes back to stderr. */
void spdk_log_close(void);

/** Sets the level above which messages are dropped, NOTICE unless changed. */
void spdk_log_set_level(enum spdk_log_level level);
enum spdk_log_level spdk_log_get_level(void);

/** Sets the level above which messages are not printed to stderr, NOTICE unless changed. */
void spdk_log_set_print_level(enum spdk_log_level level);
enum spdk_log_level spdk_log_get_print_level(void);

/**
 * Logs a message. The macros below fill in where it comes from.
 *
 * \param format, ... the text, as for printf(), with its newline.
 */
void spdk_log(enum spdk_log_level level, const char *file, const int line, const char *func,
	      const char *format, ...) __attribute__((__format__(__printf__, 5, 6)));

/** As spdk_log(), with a va_list. */
void spdk_vlog(enum spdk_log_level level, const char *file, const int line, const char *func,
	       const char *format, va_list ap);

/** A switch for the INFO and DEBUG messages of one component. The storage stays the caller's. */
struct spdk_log_flag {
	TAILQ_ENTRY(spdk_log_flag) tailq;
	const char *name;
	bool enabled;
};

/** Makes a flag known by name; SPDK_LOG_REGISTER_COMPONENT() does it before main(). */
void spdk_log_register_flag(const char *name, struct spdk_log_flag *flag);

/** \return the first flag, NULL if there is none. */
struct spdk_log_flag *spdk_log_get_first_flag(void);
/** \return the flag after `flag`, NULL after the last. */
struct spdk_log_flag *spdk_log_get_next_flag(struct spdk_log_flag *flag);

/** Turns flags on. \param flag a flag's name, or "all". \return 0, or -1 if there is none. */
int spdk_log_set_flag(const char *flag);
/** Turns flags off. \param flag a flag's name, or "all". \return 0, or -1 if there is none. */
int spdk_log_clear_flag(const char *flag);
/** \return whether the flag of that name is on. */
bool spdk_log_get_flag(const char *flag);

/** Defines a flag. At file scope; programs written for SPDK put no semicolon behind it. */
#define SPDK_LOG_REGISTER_COMPONENT(flag)                                                          \
	struct spdk_log_flag SPDK_LOG_##flag = {{NULL, NULL}, #flag, false};                       \
	__attribute__((constructor)) static void register_flag_##flag(void)                        \
	{                                                                                          \
		spdk_log_register_flag(#flag, &SPDK_LOG_##flag);                                   \
	}

#define SPDK_ERRLOG(...)    spdk_log(SPDK_LOG_ERROR, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define SPDK_WARNLOG(...)   spdk_log(SPDK_LOG_WARN, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define SPDK_NOTICELOG(...) spdk_log(SPDK_LOG_NOTICE, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define SPDK_PRINTF(...)    spdk_log(SPDK_LOG_NOTICE, NULL, -1, NULL, __VA_ARGS__)

#define SPDK_INFOLOG(flag, ...)                                                                    \
	do {                                                                                       \
		extern struct spdk_log_flag SPDK_LOG_##flag;                                       \
		if (SPDK_LOG_##flag.enabled) {                                                     \
			spdk_log(SPDK_LOG_INFO, __FILE__, __LINE__, __func__, __VA_ARGS__);        \
		}                                                                                  \
	} while (0)

#ifdef DEBUG
#define SPDK_DEBUGLOG_FLAG_ENABLED(name) spdk_log_get_flag(name)
#define SPDK_DEBUGLOG(flag, ...)                                                                   \
	do {                                                                                       \
		extern struct spdk_log_flag SPDK_LOG_##flag;                                       \
		if (SPDK_LOG_##flag.enabled) {                                                     \
			spdk_log(SPDK_LOG_DEBUG, __FILE__, __LINE__, __func__, __VA_ARGS__);       \
		}                                                                                  \
	} while (0)
#else
#define SPDK_DEBUGLOG_FLAG_ENABLED(name) false
#define SPDK_DEBUGLOG(...)                                                                         \
	do {                                                                                       \
	} while (0)
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
