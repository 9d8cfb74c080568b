/* SPDX-License-Identifier: BSD-3-Clause */

#include "support.h"

SPDK_LOG_REGISTER_COMPONENT(test_one);
SPDK_LOG_REGISTER_COMPONENT(test_two);

static char g_stderr[1 << 20];
static int g_saved_stderr, g_file;

/* stderr goes to a file from here to take_stderr(). */
static void
divert_stderr(void)
{
	g_file = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(g_file >= 0);
	g_saved_stderr = dup(STDERR_FILENO);
	assert_true(dup2(g_file, STDERR_FILENO) >= 0);
}

static const char *
take_stderr(void)
{
	ssize_t n;

	dup2(g_saved_stderr, STDERR_FILENO);
	close(g_saved_stderr);
	n = pread(g_file, g_stderr, sizeof(g_stderr) - 1, 0);
	assert_true(n >= 0);
	g_stderr[n] = '\0';
	close(g_file);
	return g_stderr;
}

static int
defaults(void **state)
{
	(void)state;
	spdk_log_close();
	spdk_log_set_level(SPDK_LOG_NOTICE);
	spdk_log_set_print_level(SPDK_LOG_NOTICE);
	spdk_log_clear_flag("all");
	return 0;
}

static void
a_line_says_where_it_is_from(void **state)
{
	(void)state;
	divert_stderr();
	spdk_log(SPDK_LOG_ERROR, "some/dir/file.c", 12, "function", "text %d\n", 3);
	spdk_log(SPDK_LOG_WARN, "file.c", 1, NULL, "text\n");
	spdk_log(SPDK_LOG_NOTICE, NULL, -1, NULL, "bare\n");
	assert_string_equal(take_stderr(), "file.c:12:function: *ERROR*: text 3\n"
					   "file.c:1: *WARNING*: text\n"
					   "bare\n");
}

static void
levels_above_the_print_level_are_dropped(void **state)
{
	(void)state;
	assert_int_equal(spdk_log_get_print_level(), SPDK_LOG_NOTICE);
	divert_stderr();
	spdk_log(SPDK_LOG_NOTICE, NULL, 0, NULL, "a");
	spdk_log(SPDK_LOG_INFO, NULL, 0, NULL, "b");
	spdk_log_set_print_level(SPDK_LOG_DEBUG);
	spdk_log(SPDK_LOG_DEBUG, NULL, 0, NULL, "c");
	spdk_log_set_print_level(SPDK_LOG_ERROR);
	spdk_log(SPDK_LOG_WARN, NULL, 0, NULL, "d");
	spdk_log(SPDK_LOG_ERROR, NULL, 0, NULL, "e");
	spdk_log_set_print_level(SPDK_LOG_DISABLED);
	spdk_log(SPDK_LOG_ERROR, NULL, 0, NULL, "f");
	spdk_log(SPDK_LOG_DISABLED, NULL, 0, NULL, "g");
	assert_string_equal(take_stderr(), "ace");
}

static void
long_texts_come_whole(void **state)
{
	char *text = malloc(200001);

	(void)state;
	assert_non_null(text);
	for (size_t len = 900; len <= 1100; len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		divert_stderr();
		spdk_log(SPDK_LOG_ERROR, "f.c", 1, "g", "%s\n", text);
		assert_int_equal(strlen(take_stderr()), strlen("f.c:1:g: *ERROR*: \n") + len);
	}
	memset(text, 'x', 200000);
	text[200000] = '\0';
	divert_stderr();
	spdk_log(SPDK_LOG_ERROR, "f.c", 1, "g", "%s\n", text);
	assert_int_equal(strlen(take_stderr()), strlen("f.c:1:g: *ERROR*: \n") + 200000);
	free(text);
}

static void *
log_many(void *arg)
{
	for (int i = 0; i < 500; i++) {
		SPDK_ERRLOG("%s\n", (const char *)arg);
	}
	return NULL;
}

static void
lines_of_threads_do_not_mix(void **state)
{
	static char text[2][1500];
	pthread_t thread[2];
	int pipe_fd[2], lines = 0;
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	(void)state;
	memset(text[0], 'a', sizeof(text[0]) - 1);
	memset(text[1], 'b', sizeof(text[1]) - 1);
	assert_int_equal(pipe(pipe_fd), 0);
	g_saved_stderr = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	close(pipe_fd[1]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&thread[i], NULL, log_many, text[i]), 0);
	}
	f = fdopen(pipe_fd[0], "r");
	while (lines < 1000 && getline(&line, &size, f) > 0) {
		char *start = strstr(line, "*ERROR*: ");

		lines++;
		assert_int_equal(strncmp(line, "test_log.c:", 11), 0);
		assert_non_null(start);
		start += strlen("*ERROR*: ");
		assert_int_equal(strlen(start), 1500);
		assert_memory_equal(start, *start == 'a' ? text[0] : text[1], 1499);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
	}
	dup2(g_saved_stderr, STDERR_FILENO);
	close(g_saved_stderr);
	fclose(f);
	free(line);
	assert_int_equal(lines, 1000);
}

static void
errno_survives(void **state)
{
	(void)state;
	divert_stderr();
	close(STDERR_FILENO); /* the write fails */
	errno = EXDEV;
	spdk_log(SPDK_LOG_ERROR, "f.c", 1, "g", "text\n");
	assert_int_equal(errno, EXDEV);
	assert_string_equal(take_stderr(), "");
}

static int g_level, g_line;
static char g_text[64];
static const char *g_path;

static void
receive(int level, const char *file, const int line, const char *func, const char *format,
	va_list args)
{
	(void)func;
	g_level = level;
	g_path = file;
	g_line = line;
	vsnprintf(g_text, sizeof(g_text), format, args);
}

static void
a_function_takes_the_place_of_stderr(void **state)
{
	(void)state;
	spdk_log_open(receive);
	divert_stderr();
	spdk_log(SPDK_LOG_WARN, "dir/f.c", 7, "g", "text %s", "x");
	assert_int_equal(g_level, SPDK_LOG_WARN);
	assert_string_equal(g_path, "dir/f.c");
	assert_int_equal(g_line, 7);
	assert_string_equal(g_text, "text x");
	spdk_log(SPDK_LOG_INFO, "f.c", 8, "g", "dropped");
	assert_int_equal(g_line, 7);
	spdk_log_set_level(SPDK_LOG_INFO);
	assert_int_equal(spdk_log_get_level(), SPDK_LOG_INFO);
	spdk_log(SPDK_LOG_INFO, "f.c", 9, "g", "not dropped");
	assert_int_equal(g_line, 9);
	spdk_log_close();
	spdk_log(SPDK_LOG_WARN, NULL, 0, NULL, "stderr again");
	assert_string_equal(take_stderr(), "stderr again");
	assert_int_equal(g_line, 9);
}

static void
flags_are_found_by_name(void **state)
{
	struct spdk_log_flag *flag;
	int found = 0;

	(void)state;
	for (flag = spdk_log_get_first_flag(); flag; flag = spdk_log_get_next_flag(flag)) {
		found += flag == &SPDK_LOG_test_one || flag == &SPDK_LOG_test_two;
	}
	assert_int_equal(found, 2);
	assert_int_equal(spdk_log_set_flag("test_one"), 0);
	assert_true(spdk_log_get_flag("test_one"));
	assert_false(spdk_log_get_flag("test_two"));
	assert_int_equal(spdk_log_set_flag("all"), 0);
	assert_true(SPDK_LOG_test_two.enabled);
	assert_int_equal(spdk_log_clear_flag("test_one"), 0);
	assert_false(SPDK_LOG_test_one.enabled);
	assert_true(spdk_log_get_flag("test_two"));
	assert_int_equal(spdk_log_set_flag("no such"), -1);
	assert_int_equal(spdk_log_clear_flag("no such"), -1);
	assert_false(spdk_log_get_flag("no such"));
	assert_int_equal(spdk_log_set_flag(NULL), -1);
	/* Registered twice, it is still there once. */
	spdk_log_register_flag("test_one", &SPDK_LOG_test_one);
	found = 0;
	for (flag = spdk_log_get_first_flag(); flag; flag = spdk_log_get_next_flag(flag)) {
		found += flag == &SPDK_LOG_test_one;
	}
	assert_int_equal(found, 1);
}

static void
half_a_flag_is_refused(void **state)
{
	(void)state;
	divert_stderr();
	spdk_log_register_flag(NULL, &SPDK_LOG_test_one);
	assert_non_null(strstr(take_stderr(), "without a name"));
	divert_stderr();
	spdk_log_register_flag("test_three", NULL);
	assert_non_null(strstr(take_stderr(), "without storage"));
	assert_int_equal(spdk_log_set_flag("test_three"), -1);
}

static void
info_needs_its_flag(void **state)
{
	(void)state;
	spdk_log_set_print_level(SPDK_LOG_DEBUG);
	divert_stderr();
	SPDK_INFOLOG(test_one, "off\n");
	spdk_log_set_flag("test_one");
	SPDK_INFOLOG(test_one, "on\n");
	SPDK_INFOLOG(test_two, "off\n");
	assert_null(strstr(take_stderr(), "off"));
	assert_non_null(strstr(g_stderr, "*INFO*: on\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_says_where_it_is_from, defaults),
		cmocka_unit_test_setup(levels_above_the_print_level_are_dropped, defaults),
		cmocka_unit_test_setup(long_texts_come_whole, defaults),
		cmocka_unit_test_setup(lines_of_threads_do_not_mix, defaults),
		cmocka_unit_test_setup(errno_survives, defaults),
		cmocka_unit_test_setup(a_function_takes_the_place_of_stderr, defaults),
		cmocka_unit_test_setup(flags_are_found_by_name, defaults),
		cmocka_unit_test_setup(half_a_flag_is_refused, defaults),
		cmocka_unit_test_setup(info_needs_its_flag, defaults),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
