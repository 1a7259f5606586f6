/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_context.h"

#include <errno.h>
#include <pthread.h>

#include "config/yang_model.h"

/* libyang's options are those of all threads, so they are set before the first context is made. */
static void set_log_options(void)
{
	(void)ly_log_options(LY_LOSTORE_LAST);
}

int config_context_new(struct ly_ctx **ret, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ly_ctx *context = NULL;

	(void)pthread_once(&once, set_log_options);
	if (ly_ctx_new(NULL, LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIRS, &context) !=
	    LY_SUCCESS)
		return err_set(err, -ENOMEM, "libyang: out of memory");
	if (lys_parse_mem(context, yang_model, LYS_IN_YANG, NULL) != LY_SUCCESS) {
		(void)err_set(err, -EIO, "libyang refuses the model: %s", ly_errmsg(context));
		ly_ctx_destroy(context);
		return -EIO;
	}
	*ret = context;
	return 0;
}

void config_context_freep(struct ly_ctx **context)
{
	ly_ctx_destroy(*context);
}
