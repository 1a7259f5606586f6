/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log_events.h"

#define LOG_DEFINE(event, message_id, event_priority, event_name)                                  \
	const struct log_event log_event_##event = {                                               \
		.id = (message_id),                                                                \
		.priority = (event_priority),                                                      \
		.name = (event_name),                                                              \
	};
LOG_EVENTS(LOG_DEFINE)
#undef LOG_DEFINE
