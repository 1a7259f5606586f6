/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/known_routers.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/log.h"
#include "base/macros.h"

static void save(struct known_routers *k);

static void freep(char **text)
{
	free(*text);
}

static void read_file(struct known_routers *k)
{
	_cleanup_(freep) char *text = NULL;
	struct err err;
	size_t size;
	int rc = file_read_regular(k->path, KNOWN_ADDRESSES_TEXT_MAX, &text, &size, &err);

	if (rc == 0)
		known_addresses_read(k->addresses, text, known_addresses_today());
	else if (rc != -ENOENT)
		log_debug("the addresses of known routers are begun anew: %s", err.text);
}

int known_routers_init(struct known_routers *k, uv_loop_t *loop, const char *path, struct err *err)
{
	uint64_t seed;

	*k = (struct known_routers){.loop = loop, .path = path};
	if (RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1)
		return err_set(err, -EIO, "no random numbers");
	k->addresses = known_addresses_new(seed);
	if (!k->addresses)
		return err_set(err, -ENOMEM, "out of memory");
	read_file(k);
	(void)uv_timer_init(loop, &k->timer);
	return 0;
}

static void write_on_worker(struct work *work)
{
	struct known_routers *k = container_of(work, struct known_routers, work);

	(void)atomic_file_write(k->path, span_of_string(k->text), 0600, &k->err);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct known_routers *k = container_of((uv_timer_t *)handle, struct known_routers, timer);

	known_addresses_free(k->addresses);
	k->addresses = NULL;
	k->closed(k->owner);
}

static void save_or_close(struct known_routers *k)
{
	if (k->writing)
		return;
	if (k->has_news && k->closing)
		save(k);
	else if (k->has_news)
		known_routers_news(k);
	else if (k->closing)
		uv_close((uv_handle_t *)&k->timer, on_timer_closed);
}

static void on_written(struct work *work)
{
	struct known_routers *k = container_of(work, struct known_routers, work);

	if (k->err.code < 0)
		log_debug("the addresses of known routers are not kept: %s", k->err.text);
	free(k->text);
	k->text = NULL;
	k->writing = false;
	save_or_close(k);
}

static void save(struct known_routers *k)
{
	k->has_news = false;
	k->text = known_addresses_write(k->addresses, known_addresses_today());
	if (!k->text) {
		save_or_close(k);
		return;
	}
	k->writing = true;
	memset(&k->err, 0, sizeof(k->err));
	work_submit(k->loop, &k->work, write_on_worker, on_written);
}

static void on_timer(uv_timer_t *timer)
{
	struct known_routers *k = container_of(timer, struct known_routers, timer);

	if (!k->writing)
		save(k);
}

void known_routers_news(struct known_routers *k)
{
	k->has_news = true;
	if (!k->closing && !k->writing && !uv_is_active((uv_handle_t *)&k->timer))
		(void)uv_timer_start(&k->timer, on_timer, KNOWN_ROUTERS_SAVE_MS, 0);
}

void known_routers_close(struct known_routers *k, void (*closed)(void *owner), void *owner)
{
	k->closing = true;
	k->closed = closed;
	k->owner = owner;
	(void)uv_timer_stop(&k->timer);
	save_or_close(k);
}
