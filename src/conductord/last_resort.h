/* last_resort.h - conductord ends in time, whatever hangs: a resolver, a disk, a library.
 *
 * What is on disk is good at any moment, as after a power cut; nothing is lost by it but an orderly
 * farewell.
 */
#pragma once

/* Unless last_resort_over() comes before, the process ends in so many milliseconds. */
void last_resort_begin(unsigned ms);
void last_resort_over(void);
