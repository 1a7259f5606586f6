/* config_free.h - gives back what a configuration has allocated. */
#pragma once

#include "base/settings.h"

void config_free(struct config *config);
void config_freep(struct config **config); /* for _cleanup_ */
