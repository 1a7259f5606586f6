/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_events.h - every event an operator can see, by its MESSAGE_ID.
 *
 * The same ids stand in packaging/steward.catalog, with what each means and what to do.
 */
#pragma once

#include <syslog.h>

#include "base/log.h"

#define LOG_EVENTS(X)                                                                              \
	X(DAEMON_STARTED, "c910f51e348941ffa700ea3ee1228956", LOG_INFO, "daemon-started")          \
	X(DAEMON_STOPPING, "8bd327542b8548738bf53eab602e980a", LOG_INFO, "daemon-stopping")        \
	X(CONFIGURATION_LOADED, "b041efb5809a4e2fb3240cb3cbc79b2c", LOG_NOTICE,                    \
	  "configuration-loaded")                                                                  \
	X(CONFIGURATION_REFUSED, "95b8f83d7e07465fa2354a87f39956f0", LOG_ERR,                      \
	  "configuration-refused")                                                                 \
	X(CONFIGURATION_WARNING, "ec8d9f6af367444eb81e2ee7959b7b66", LOG_WARNING,                  \
	  "configuration-warning")                                                                 \
	X(BANDWIDTH_CHANGED, "e9172ceee143449d9ca1f90ad9d2ce18", LOG_INFO, "bandwidth-changed")    \
	X(DOWNLOAD_QUEUED, "97be42f9cb324a8380da8fd1a030cf70", LOG_INFO, "download-queued")        \
	X(DOWNLOAD_WAITING_PEER, "f6a443a7868f44a0b86e813bf43d3501", LOG_INFO,                     \
	  "download-waiting-peer")                                                                 \
	X(PEER_NOT_AWAITED, "8305e23ee6394f438a82351ab390cd6b", LOG_NOTICE, "peer-not-awaited")    \
	X(DOWNLOAD_CHECKING, "ef6317999cc9450b927e54cf189f9c8c", LOG_NOTICE, "download-checking")  \
	X(DOWNLOAD_DISCOVERING, "6a3dc77e97784e70ad039ade741e8202", LOG_INFO,                      \
	  "download-discovering")                                                                  \
	X(DOWNLOAD_DOWNLOADING, "0ea3c5180cc54c3caee16b2b31a5ca92", LOG_INFO,                      \
	  "download-downloading")                                                                  \
	X(DOWNLOAD_WAITING_RETRY, "22808f6cd360427b9e51fab0c4132bcb", LOG_WARNING,                 \
	  "download-waiting-retry")                                                                \
	X(DOWNLOAD_FINISHING, "7aa45987809846498bcf28d6228ab221", LOG_INFO, "download-finishing")  \
	X(DOWNLOAD_COMPLETE, "a9ec4f30846e4cb4a60e1b17feb82c2f", LOG_NOTICE, "download-complete")  \
	X(DOWNLOAD_PAUSED, "f1c09fd794974548ba2597167e3955b6", LOG_NOTICE, "download-paused")      \
	X(DOWNLOAD_CANCELLED, "570526dbc699470d984e1c1fc513d3d2", LOG_NOTICE,                      \
	  "download-cancelled")                                                                    \
	X(DOWNLOAD_FAILED, "dbcdf170b90d443ba382efdfd511fbd9", LOG_ERR, "download-failed")         \
	X(SOURCE_UNAVAILABLE, "28d8503a588d4b70903bd994bcdc01e8", LOG_WARNING,                     \
	  "source-unavailable")                                                                    \
	X(SOURCE_EXCLUDED, "a29be24f278b4bf8b69075033125b52c", LOG_WARNING, "source-excluded")     \
	X(PIECE_MISMATCH, "9d43f5ffcd804a648690ec94bbf52324", LOG_WARNING, "piece-mismatch")       \
	X(SOURCE_PAST_CACHES, "490ebecf2a164bceb5b322c52d27eb64", LOG_NOTICE,                      \
	  "source-past-caches")                                                                    \
	X(CHUNK_INDEX_MISSING, "5a19df291ea4425fb3a0a27d2d208507", LOG_NOTICE,                     \
	  "chunk-index-missing")                                                                   \
	X(SEED_UNUSABLE, "2ca082ed5ea24dd291b69f79391e9c71", LOG_NOTICE, "seed-unusable")          \
	X(JOURNAL_DISCARDED, "fc509678f79a4bab862cdb23c88f0bbc", LOG_WARNING, "journal-discarded") \
	X(DISK_PROBLEM, "cd7d0dec48b643109e7aafaee4c9008f", LOG_ERR, "disk-problem")               \
	X(IMAGE_IMPORTED, "5fdfc6298ebd469a80cae877d28b126f", LOG_NOTICE, "image-imported")        \
	X(IMAGE_DELETED, "d26728b453b74f2585df0f82e971800c", LOG_NOTICE, "image-deleted")          \
	X(IMAGE_DAMAGED, "067a30a4e3eb43d0959f7cb96350872b", LOG_ERR, "image-damaged")             \
	X(IMAGE_REMOVED, "515b7577ce5748e29c1d5c2fcdb8ad3b", LOG_WARNING, "image-removed")         \
	X(ACCESS_REFUSED, "464d8431723540569ba94a094bfe5e25", LOG_WARNING, "access-refused")       \
	X(INTEGRITY_COMPROMISED, "954d6b62edb54dfe830d957c4e547060", LOG_EMERG,                    \
	  "integrity-compromised")                                                                 \
	X(INTEGRITY_UNLOCKED, "8d18bdfcf5004540b1249df1357994fa", LOG_NOTICE,                      \
	  "integrity-unlocked")                                                                    \
	X(INTEGRITY_ENABLED, "3a45b8055c3d4ab5a656b74f2b488bb5", LOG_NOTICE, "integrity-enabled")  \
	X(INTEGRITY_UNSUPPORTED, "94a7ecb23d434c489765a24a2657bba6", LOG_NOTICE,                   \
	  "integrity-unsupported")                                                                 \
	X(INTEGRITY_FINDING, "d83dbe50d853481e8ebb3591a855af4a", LOG_INFO, "integrity-finding")    \
	X(INTEGRITY_RECOVERED, "2742881d26b24199bd99c78b7a506cf8", LOG_NOTICE,                     \
	  "integrity-recovered")                                                                   \
	X(INTEGRITY_ZEROIZED, "ae2cf24b030646158eace4ed6f1fc4cf", LOG_WARNING,                     \
	  "integrity-zeroized")                                                                    \
	X(INTEGRITY_SEALED_ANEW, "f2b445542c7f4caab18807cdd9b21e5a", LOG_NOTICE,                   \
	  "integrity-sealed-anew")                                                                 \
	X(INTEGRITY_MIGRATED, "5011c9e9166f4850b81f566a24b2db7e", LOG_NOTICE,                      \
	  "integrity-migrated")                                                                    \
	X(INTEGRITY_POLICY, "1399001056314d7aa7e5049d6c1c1b92", LOG_NOTICE, "integrity-policy")    \
	X(INTEGRITY_POLICY_KEPT, "f890893792744c7082e0323bedf4c643", LOG_NOTICE,                   \
	  "integrity-policy-kept")                                                                 \
	X(INTEGRITY_POLICIES_ENDED, "887d84a39ce449a384f2a9c5d8ef8d9f", LOG_NOTICE,                \
	  "integrity-policies-ended")                                                              \
	X(INTEGRITY_NOT_SETTLED, "092002672deb4a4b93f83d44854c985f", LOG_WARNING,                  \
	  "integrity-not-settled")                                                                 \
	X(INTEGRITY_RESEALED, "4875f33ec27a4cc584f2cad0bc975fc5", LOG_NOTICE,                      \
	  "integrity-resealed")                                                                    \
	X(INTEGRITY_WAITING, "b0f8b395e2a141e1ab6abfbefc873ef5", LOG_WARNING, "integrity-waiting") \
	X(ROUTER_ENROLLED, "ce812d47d5754011a5012250b0181458", LOG_NOTICE, "router-enrolled")      \
	X(ONBOARDING_REFUSED, "59daa2efb1b442f9921f5ba2f03ada72", LOG_WARNING,                     \
	  "onboarding-refused")                                                                    \
	X(OTHER_DEVICE, "cc7c98514c524f0e865a8cd80118a20f", LOG_ALERT, "other-device")             \
	X(ONBOARDING_DEFERRED, "c569c1a910054e74b498b8340ec5caa8", LOG_WARNING,                    \
	  "onboarding-deferred")                                                                   \
	X(REGISTRY_PROBLEM, "2f789c61055a499e95917e2c2d74a64c", LOG_ERR, "registry-problem")       \
	X(DAEMON_CUT_SHORT, "b0f7a2c58f4d4e7e9d2a6f1a3c95e0d7", LOG_WARNING, "daemon-cut-short")   \
	X(REGISTRY_SILENT, "9a9ad4f3a2de4b4d8e1c93b6f5de3a61", LOG_ERR, "registry-silent")         \
	X(REGISTRY_ANSWERS, "c74f0e9b0c0f4a9f8b47a7a4e7d1f2b8", LOG_NOTICE, "registry-answers")    \
	X(SSHD, "bb7c18b44530405a9e2585f2a61d3d73", LOG_INFO, "sshd-said")                         \
	X(TUNNELS_READY, "9a2b27ea7dbe493799374b437c20bec1", LOG_NOTICE, "tunnels-ready")          \
	X(TUNNELS_LOST, "03c5e4c7be784e37bc06a721edad8c91", LOG_ERR, "tunnels-lost")               \
	X(TUNNEL_CONNECTED, "94728c5f423546b590001cb19e06aa63", LOG_NOTICE, "tunnel-connected")    \
	X(TUNNEL_DISCONNECTED, "59799df3a6cb4f3b9b5286bd738dcddd", LOG_WARNING,                    \
	  "tunnel-disconnected")                                                                   \
	X(FETCH_ON_DEMAND, "e09b74cc13f1fc38e3c7702055c8f096", LOG_INFO, "fetch-on-demand")        \
	X(ROLLOUT_HALTED, "4e0d6f3f0b764f6cb2b1a5c0c6b0d3a7", LOG_WARNING, "rollout-halted")       \
	X(ROLLOUT_OVER, "9c1b7a1d2f5e4a0f8d37e2a94b61c85e", LOG_NOTICE, "rollout-over")            \
	X(CLOCK_SET_BACK, "ea38b63901ca4f09bf39373ee82a8498", LOG_ALERT, "clock-set-back")         \
	X(ROUTER_INITIALIZED, "e842f90248f7445b8660d2b07c773469", LOG_NOTICE,                      \
	  "router-initialized")                                                                    \
	X(SECRETS_SEALED, "cca12e1d7c4b41eca072fe048297dd39", LOG_NOTICE, "secrets-sealed")        \
	X(ROUTER_NOT_CONFIGURED, "3dd1f5a52ae048aeab5854830ad119dc", LOG_WARNING,                  \
	  "router-not-configured")                                                                 \
	X(ROUTER_TWICE, "776f720528f641e08bc7834bccba4a6c", LOG_WARNING, "router-twice")           \
	X(OLD_PORTS_OPEN, "bab8a32565fa4739a83db94522ec94a6", LOG_WARNING, "old-ports-open")       \
	X(ONBOARDING_STATE, "99d67a1f7e444a52a644e8da147b9abd", LOG_NOTICE, "onboarding-state")    \
	X(CONDUCTORS_CHANGED, "530fb0a99a3d41babc5b79ff9980b060", LOG_NOTICE,                      \
	  "conductors-changed")                                                                    \
	X(CONDUCTOR_TWICE, "acf944b2063748abbc20c65f50ea2434", LOG_ERR, "conductor-twice")         \
	X(CONDUCTOR_REMOVED, "d6609741900944d49737c783fad2c9a4", LOG_WARNING, "conductor-removed") \
	X(CERTIFICATE_RENEWED, "5a0aa01d3af948288afabf2bbae07da9", LOG_NOTICE,                     \
	  "certificate-renewed")                                                                   \
	X(ONBOARDED, "001cf6428f1049a99e4176a418e86c7a", LOG_NOTICE, "onboarded")                  \
	X(ONBOARDING_FAILED, "37f72a1041f14f0f969b03f63d7a58ef", LOG_ERR, "onboarding-failed")

#define LOG_DECLARE(event, message_id, event_priority, event_name)                                 \
	extern const struct log_event log_event_##event;
LOG_EVENTS(LOG_DECLARE)
#undef LOG_DECLARE

#define LOG_DAEMON_STARTED           (&log_event_DAEMON_STARTED)
#define LOG_DAEMON_STOPPING          (&log_event_DAEMON_STOPPING)
#define LOG_CONFIGURATION_LOADED     (&log_event_CONFIGURATION_LOADED)
#define LOG_CONFIGURATION_REFUSED    (&log_event_CONFIGURATION_REFUSED)
#define LOG_CONFIGURATION_WARNING    (&log_event_CONFIGURATION_WARNING)
#define LOG_BANDWIDTH_CHANGED        (&log_event_BANDWIDTH_CHANGED)
#define LOG_DOWNLOAD_QUEUED          (&log_event_DOWNLOAD_QUEUED)
#define LOG_DOWNLOAD_WAITING_PEER    (&log_event_DOWNLOAD_WAITING_PEER)
#define LOG_PEER_NOT_AWAITED         (&log_event_PEER_NOT_AWAITED)
#define LOG_DOWNLOAD_CHECKING        (&log_event_DOWNLOAD_CHECKING)
#define LOG_DOWNLOAD_DISCOVERING     (&log_event_DOWNLOAD_DISCOVERING)
#define LOG_DOWNLOAD_DOWNLOADING     (&log_event_DOWNLOAD_DOWNLOADING)
#define LOG_DOWNLOAD_WAITING_RETRY   (&log_event_DOWNLOAD_WAITING_RETRY)
#define LOG_DOWNLOAD_FINISHING       (&log_event_DOWNLOAD_FINISHING)
#define LOG_DOWNLOAD_COMPLETE        (&log_event_DOWNLOAD_COMPLETE)
#define LOG_DOWNLOAD_PAUSED          (&log_event_DOWNLOAD_PAUSED)
#define LOG_DOWNLOAD_CANCELLED       (&log_event_DOWNLOAD_CANCELLED)
#define LOG_DOWNLOAD_FAILED          (&log_event_DOWNLOAD_FAILED)
#define LOG_SOURCE_UNAVAILABLE       (&log_event_SOURCE_UNAVAILABLE)
#define LOG_SOURCE_EXCLUDED          (&log_event_SOURCE_EXCLUDED)
#define LOG_PIECE_MISMATCH           (&log_event_PIECE_MISMATCH)
#define LOG_SOURCE_PAST_CACHES       (&log_event_SOURCE_PAST_CACHES)
#define LOG_CHUNK_INDEX_MISSING      (&log_event_CHUNK_INDEX_MISSING)
#define LOG_SEED_UNUSABLE            (&log_event_SEED_UNUSABLE)
#define LOG_JOURNAL_DISCARDED        (&log_event_JOURNAL_DISCARDED)
#define LOG_DISK_PROBLEM             (&log_event_DISK_PROBLEM)
#define LOG_IMAGE_IMPORTED           (&log_event_IMAGE_IMPORTED)
#define LOG_IMAGE_DELETED            (&log_event_IMAGE_DELETED)
#define LOG_IMAGE_DAMAGED            (&log_event_IMAGE_DAMAGED)
#define LOG_IMAGE_REMOVED            (&log_event_IMAGE_REMOVED)
#define LOG_ACCESS_REFUSED           (&log_event_ACCESS_REFUSED)
#define LOG_INTEGRITY_COMPROMISED    (&log_event_INTEGRITY_COMPROMISED)
#define LOG_INTEGRITY_UNLOCKED       (&log_event_INTEGRITY_UNLOCKED)
#define LOG_INTEGRITY_ENABLED        (&log_event_INTEGRITY_ENABLED)
#define LOG_INTEGRITY_UNSUPPORTED    (&log_event_INTEGRITY_UNSUPPORTED)
#define LOG_INTEGRITY_FINDING        (&log_event_INTEGRITY_FINDING)
#define LOG_INTEGRITY_RECOVERED      (&log_event_INTEGRITY_RECOVERED)
#define LOG_INTEGRITY_ZEROIZED       (&log_event_INTEGRITY_ZEROIZED)
#define LOG_INTEGRITY_SEALED_ANEW    (&log_event_INTEGRITY_SEALED_ANEW)
#define LOG_INTEGRITY_MIGRATED       (&log_event_INTEGRITY_MIGRATED)
#define LOG_INTEGRITY_POLICY         (&log_event_INTEGRITY_POLICY)
#define LOG_INTEGRITY_POLICY_KEPT    (&log_event_INTEGRITY_POLICY_KEPT)
#define LOG_INTEGRITY_POLICIES_ENDED (&log_event_INTEGRITY_POLICIES_ENDED)
#define LOG_INTEGRITY_NOT_SETTLED    (&log_event_INTEGRITY_NOT_SETTLED)
#define LOG_INTEGRITY_RESEALED       (&log_event_INTEGRITY_RESEALED)
#define LOG_INTEGRITY_WAITING        (&log_event_INTEGRITY_WAITING)
#define LOG_ROUTER_ENROLLED          (&log_event_ROUTER_ENROLLED)
#define LOG_ONBOARDING_REFUSED       (&log_event_ONBOARDING_REFUSED)
#define LOG_OTHER_DEVICE             (&log_event_OTHER_DEVICE)
#define LOG_ONBOARDING_DEFERRED      (&log_event_ONBOARDING_DEFERRED)
#define LOG_REGISTRY_PROBLEM         (&log_event_REGISTRY_PROBLEM)
#define LOG_DAEMON_CUT_SHORT         (&log_event_DAEMON_CUT_SHORT)
#define LOG_REGISTRY_SILENT          (&log_event_REGISTRY_SILENT)
#define LOG_REGISTRY_ANSWERS         (&log_event_REGISTRY_ANSWERS)
#define LOG_SSHD                     (&log_event_SSHD)
#define LOG_TUNNELS_READY            (&log_event_TUNNELS_READY)
#define LOG_TUNNELS_LOST             (&log_event_TUNNELS_LOST)
#define LOG_FETCH_ON_DEMAND          (&log_event_FETCH_ON_DEMAND)
#define LOG_ROLLOUT_HALTED           (&log_event_ROLLOUT_HALTED)
#define LOG_ROLLOUT_OVER             (&log_event_ROLLOUT_OVER)
#define LOG_TUNNEL_CONNECTED         (&log_event_TUNNEL_CONNECTED)
#define LOG_TUNNEL_DISCONNECTED      (&log_event_TUNNEL_DISCONNECTED)
#define LOG_CLOCK_SET_BACK           (&log_event_CLOCK_SET_BACK)
#define LOG_ROUTER_INITIALIZED       (&log_event_ROUTER_INITIALIZED)
#define LOG_ROUTER_NOT_CONFIGURED    (&log_event_ROUTER_NOT_CONFIGURED)
#define LOG_SECRETS_SEALED           (&log_event_SECRETS_SEALED)
#define LOG_ROUTER_TWICE             (&log_event_ROUTER_TWICE)
#define LOG_OLD_PORTS_OPEN           (&log_event_OLD_PORTS_OPEN)
#define LOG_ONBOARDING_STATE         (&log_event_ONBOARDING_STATE)
#define LOG_CONDUCTORS_CHANGED       (&log_event_CONDUCTORS_CHANGED)
#define LOG_CONDUCTOR_TWICE          (&log_event_CONDUCTOR_TWICE)
#define LOG_CONDUCTOR_REMOVED        (&log_event_CONDUCTOR_REMOVED)
#define LOG_CERTIFICATE_RENEWED      (&log_event_CERTIFICATE_RENEWED)
#define LOG_ONBOARDED                (&log_event_ONBOARDED)
#define LOG_ONBOARDING_FAILED        (&log_event_ONBOARDING_FAILED)
