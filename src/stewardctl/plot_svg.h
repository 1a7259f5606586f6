/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot_svg.h - how a download went, as a picture for a browser: SVG without scripts, in the
 * colours of the reader's theme. Pure, but for what it writes to out.
 */
#pragma once

#include <stdio.h>

#include "download/engine/history.h"

/* All texts come from others, and are escaped. */
void plot_svg(const struct history *history, const char *version, FILE *out);
