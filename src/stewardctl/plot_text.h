/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plot_text.h - how a download went, drawn with letters. Pure, but for what it writes to out. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "download/engine/history.h"

/* columns: of the terminal; no line of the picture is longer. utf8: may blocks be drawn, or ASCII
 * alone? */
void plot_text(const struct history *history, unsigned columns, bool utf8, FILE *out);
