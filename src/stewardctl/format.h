/* SPDX-License-Identifier: GPL-3.0-or-later */
/* format.h - numbers as people read them. Each fills a buffer of FORMAT_SIZE and returns it. */
#pragma once

#include <stdint.h>

#define FORMAT_SIZE 32

const char *format_bytes(char ret[FORMAT_SIZE], double bytes);       /* "1.40 GiB" */
const char *format_rate(char ret[FORMAT_SIZE], double bytes);        /* "11.3 MiB/s" */
const char *format_duration(char ret[FORMAT_SIZE], int64_t seconds); /* "1h 02m", "2m 05s", "9s" */
const char *format_clock(char ret[FORMAT_SIZE], int64_t unix_s);     /* "12:00:00", of UTC */
const char *format_date(char ret[FORMAT_SIZE], int64_t unix_s);      /* "2026-01-01 12:00 UTC" */
