/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tunnel_probe.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/macros.h"

/* A link that is slow and full answers later than one that is not: what is lost by an error is one
 * login. */
#define SILENCE_MS 5000

static void on_timer_closed(uv_handle_t *handle)
{
	struct tunnel_probe *p = container_of((uv_timer_t *)handle, struct tunnel_probe, timer);

	if (--p->open == 0)
		p->closed(p);
}

static void on_tcp_closed(uv_handle_t *handle)
{
	struct tunnel_probe *p = container_of((uv_tcp_t *)handle, struct tunnel_probe, tcp);

	p->is_asking = false;
	if (--p->open == 0 && p->closing)
		p->closed(p);
}

void tunnel_probe_stop(struct tunnel_probe *p)
{
	p->is_told = true;
	(void)uv_timer_stop(&p->timer);
	if (p->is_asking && !uv_is_closing((uv_handle_t *)&p->tcp))
		uv_close((uv_handle_t *)&p->tcp, on_tcp_closed);
}

static void end_probe(struct tunnel_probe *p, bool is_answered)
{
	if (p->is_told)
		return;
	tunnel_probe_stop(p);
	p->ended(p, is_answered);
}

static void on_silence(uv_timer_t *timer)
{
	end_probe(container_of(timer, struct tunnel_probe, timer), false);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	static char unread[512];

	(void)handle;
	(void)suggested;
	*ret = uv_buf_init(unread, sizeof(unread));
}

/* Also its end, or an error: somebody has ended it. */
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct tunnel_probe *p = container_of((uv_tcp_t *)stream, struct tunnel_probe, tcp);

	(void)buffer;
	if (size != 0)
		end_probe(p, true);
}

/* ssh itself is not there: then its end is told by it. */
static void on_connected(uv_connect_t *request, int status)
{
	static char question[] = "HEAD / HTTP/1.0\r\n\r\n";
	struct tunnel_probe *p = container_of(request, struct tunnel_probe, connect);
	const uv_buf_t buffer = uv_buf_init(question, sizeof(question) - 1);

	if (p->is_told)
		return;
	if (status < 0 || uv_read_start((uv_stream_t *)&p->tcp, give_buffer, on_read) < 0 ||
	    uv_write(&p->write, (uv_stream_t *)&p->tcp, &buffer, 1, NULL) < 0)
		end_probe(p, true);
}

void tunnel_probe_init(struct tunnel_probe *p, uv_loop_t *loop,
		       void (*ended)(struct tunnel_probe *p, bool is_answered))
{
	memset(p, 0, sizeof(*p));
	p->loop = loop;
	p->ended = ended;
	p->open = 1;
	(void)uv_timer_init(loop, &p->timer);
}

void tunnel_probe_start(struct tunnel_probe *p, uint16_t local_port)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(local_port)};

	if (p->is_asking || p->closing)
		return;
	local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)uv_tcp_init(p->loop, &p->tcp);
	p->open++;
	p->is_asking = true;
	p->is_told = false;
	/* Also if no connection could be begun: silence tells it. */
	(void)uv_tcp_connect(&p->connect, &p->tcp, (const struct sockaddr *)&local, on_connected);
	(void)uv_timer_start(&p->timer, on_silence, SILENCE_MS, 0);
}

void tunnel_probe_close(struct tunnel_probe *p, void (*closed)(struct tunnel_probe *p))
{
	p->closing = true;
	p->closed = closed;
	tunnel_probe_stop(p);
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
