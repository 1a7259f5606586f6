/* SPDX-License-Identifier: GPL-3.0-or-later */
/* last_resort.h - ends conductord in time if something hangs: a resolver, a disk, a library.
 *
 * What is on disk is valid at any moment, as after a power cut. Only an orderly end is lost.
 */
#pragma once

/* The process ends in so many milliseconds, unless last_resort_over() is called before. */
void last_resort_begin(unsigned ms);
void last_resort_over(void);
