/* SPDX-License-Identifier: BSD-3-Clause */

#include "spdk/log.h"

/* Most lines fit; a longer one is put together on the heap. */
#define LINE_SIZE 1024

static const char *const g_level_names[] = {
	[SPDK_LOG_ERROR] = "ERROR", [SPDK_LOG_WARN] = "WARNING", [SPDK_LOG_NOTICE] = "NOTICE",
	[SPDK_LOG_INFO] = "INFO",   [SPDK_LOG_DEBUG] = "DEBUG",
};

static logfunc *g_log;
static enum spdk_log_level g_log_level = SPDK_LOG_NOTICE;
static enum spdk_log_level g_print_level = SPDK_LOG_NOTICE;

/* Flags register from constructors, in no particular order: nothing here needs to run before them.
 */
static pthread_mutex_t g_flags_lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(, spdk_log_flag) g_flags = TAILQ_HEAD_INITIALIZER(g_flags);

void
spdk_log_open(logfunc *log)
{
	g_log = log;
}

void
spdk_log_close(void)
{
	g_log = NULL;
}

void
spdk_log_set_level(enum spdk_log_level level)
{
	__atomic_store_n(&g_log_level, level, __ATOMIC_RELAXED);
}

enum spdk_log_level
spdk_log_get_level(void)
{
	return __atomic_load_n(&g_log_level, __ATOMIC_RELAXED);
}

void
spdk_log_set_print_level(enum spdk_log_level level)
{
	__atomic_store_n(&g_print_level, level, __ATOMIC_RELAXED);
}

enum spdk_log_level
spdk_log_get_print_level(void)
{
	return __atomic_load_n(&g_print_level, __ATOMIC_RELAXED);
}

void
spdk_log(enum spdk_log_level level, const char *file, const int line, const char *func,
	 const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	spdk_vlog(level, file, line, func, format, ap);
	va_end(ap);
}

/* Writes "file:line:func: *LEVEL*: " as far as it fits. \return its whole length. */
static size_t
format_origin(char *buf, size_t size, enum spdk_log_level level, const char *file, int line,
	      const char *func)
{
	const char *slash;

	if (file == NULL) {
		buf[0] = '\0';
		return 0;
	}
	slash = strrchr(file, '/');
	return (size_t)snprintf(buf, size, "%s:%d:%s%s *%s*: ", slash ? slash + 1 : file, line,
				func ? func : "", func ? ":" : "", g_level_names[level]);
}

/* The lines of several threads must not mix: a line is one write, unless the kernel cuts it. */
static void
write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return;
		}
		text += n;
		len -= (size_t)n;
	}
}

static void
print(enum spdk_log_level level, const char *file, int line, const char *func, const char *format,
      va_list ap)
{
	char fixed[LINE_SIZE], *text = fixed;
	size_t origin, len;
	va_list again;
	int body;

	origin = format_origin(fixed, sizeof(fixed), level, file, line, func);
	if (origin >= sizeof(fixed)) {
		origin = 0; /* a file or function name of a kilobyte says nothing */
	}
	va_copy(again, ap);
	body = vsnprintf(fixed + origin, sizeof(fixed) - origin, format, ap);
	len = origin + (body < 0 ? 0 : (size_t)body);
	if (len >= sizeof(fixed)) {
		text = malloc(len + 1);
		if (text != NULL) {
			memcpy(text, fixed, origin);
			vsnprintf(text + origin, len + 1 - origin, format, again);
		} else {
			text = fixed;
			len = sizeof(fixed);
			text[len - 1] = '\n'; /* cut, but still a line */
		}
	}
	va_end(again);
	write_all(text, len);
	if (text != fixed) {
		free(text);
	}
}

void
spdk_vlog(enum spdk_log_level level, const char *file, const int line, const char *func,
	  const char *format, va_list ap)
{
	int saved = errno;

	if (level < SPDK_LOG_ERROR || level > SPDK_LOG_DEBUG) {
		return;
	}
	if (g_log != NULL) {
		if (level <= spdk_log_get_level()) {
			g_log(level, file, line, func, format, ap);
		}
	} else if (level <= spdk_log_get_print_level()) {
		print(level, file, line, func, format, ap);
	}
	errno = saved;
}

void
spdk_log_register_flag(const char *name, struct spdk_log_flag *flag)
{
	struct spdk_log_flag *known;

	if (name == NULL || flag == NULL) {
		SPDK_ERRLOG("cannot register a log flag without %s\n", name ? "storage" : "a name");
		return;
	}
	pthread_mutex_lock(&g_flags_lock);
	TAILQ_FOREACH (known, &g_flags, tailq) {
		if (known == flag) {
			break;
		}
	}
	if (known == NULL) {
		flag->name = name;
		TAILQ_INSERT_TAIL(&g_flags, flag, tailq);
	}
	pthread_mutex_unlock(&g_flags_lock);
}

struct spdk_log_flag *
spdk_log_get_first_flag(void)
{
	struct spdk_log_flag *flag;

	pthread_mutex_lock(&g_flags_lock);
	flag = TAILQ_FIRST(&g_flags);
	pthread_mutex_unlock(&g_flags_lock);
	return flag;
}

struct spdk_log_flag *
spdk_log_get_next_flag(struct spdk_log_flag *flag)
{
	struct spdk_log_flag *next;

	pthread_mutex_lock(&g_flags_lock);
	next = TAILQ_NEXT(flag, tailq);
	pthread_mutex_unlock(&g_flags_lock);
	return next;
}

/* Two libraries may have a component of the same name: a switch turns all of them. */
static int
switch_flags(const char *name, bool enabled)
{
	bool all = name != NULL && strcasecmp(name, "all") == 0;
	struct spdk_log_flag *flag;
	int rc = all ? 0 : -1;

	if (name == NULL) {
		return -1;
	}
	pthread_mutex_lock(&g_flags_lock);
	TAILQ_FOREACH (flag, &g_flags, tailq) {
		if (all || strcasecmp(flag->name, name) == 0) {
			__atomic_store_n(&flag->enabled, enabled, __ATOMIC_RELAXED);
			rc = 0;
		}
	}
	pthread_mutex_unlock(&g_flags_lock);
	return rc;
}

int
spdk_log_set_flag(const char *flag)
{
	return switch_flags(flag, true);
}

int
spdk_log_clear_flag(const char *flag)
{
	return switch_flags(flag, false);
}

bool
spdk_log_get_flag(const char *name)
{
	struct spdk_log_flag *flag;
	bool enabled = false;

	if (name == NULL) {
		return false;
	}
	pthread_mutex_lock(&g_flags_lock);
	TAILQ_FOREACH (flag, &g_flags, tailq) {
		if (strcasecmp(flag->name, name) == 0) {
			enabled |= __atomic_load_n(&flag->enabled, __ATOMIC_RELAXED);
		}
	}
	pthread_mutex_unlock(&g_flags_lock);
	return enabled;
}
