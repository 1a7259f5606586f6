/* SPDX-License-Identifier: GPL-3.0-or-later */
/* yang_model.h - the configuration's model, compiled into the program. */
#pragma once

extern const char yang_model[];
