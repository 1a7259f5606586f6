#include "stewardctl/commands.h"

#include "core/macros.h"

#define VERSION                                                                                    \
	{                                                                                          \
		"version", PAIR_VALUE, "V"                                                         \
	}
#define NODE                                                                                       \
	{                                                                                          \
		"node", PAIR_OPTIONAL, "N"                                                         \
	}
#define ROUTER                                                                                     \
	{                                                                                          \
		"router", PAIR_OPTIONAL, "R"                                                       \
	}
#define FLAG(name)                                                                                 \
	{                                                                                          \
		name, PAIR_FLAG, NULL                                                              \
	}

const struct command commands[] = {
	{{"show", "system"}, {{0}}, command_show_system, "How the daemon stands."},
	{{"show", "system", "software", "download"},
	 {{"version", PAIR_OPTIONAL, "V"}, NODE, FLAG("watch")},
	 command_show_download,
	 "All downloads, or one with its sources; watch follows it."},
	{{"show", "system", "software", "available"},
	 {FLAG("refresh")},
	 command_show_available,
	 "Which versions the sources have; refresh asks them now."},
	{{"show", "system", "software", "images"},
	 {{0}},
	 command_show_images,
	 "The images on this node."},
	{{"request", "system", "software", "download"},
	 {ROUTER, NODE, VERSION, FLAG("sequenced"), FLAG("force"), FLAG("watch")},
	 command_download,
	 "Download a version; force discards what is there of it."},
	{{"request", "system", "software", "download", "pause"},
	 {ROUTER, NODE, VERSION},
	 command_pause,
	 "Stop fetching for now."},
	{{"request", "system", "software", "download", "resume"},
	 {ROUTER, NODE, VERSION},
	 command_resume,
	 "Go on where it stopped."},
	{{"request", "system", "software", "download", "cancel"},
	 {ROUTER, NODE, VERSION, FLAG("force")},
	 command_cancel,
	 "Give it up; force discards its data too."},
	{{"request", "system", "reload"}, {{0}}, command_reload, "Load the configuration."},
	{{"request", "system", "software", "verify"},
	 {VERSION},
	 command_verify,
	 "Hash an image again."},
	{{"request", "system", "software", "delete"},
	 {VERSION},
	 command_delete,
	 "Delete an image."},
	{{"show", "configuration-integrity"},
	 {{0}},
	 command_show_integrity,
	 "How the encrypted directories stand; without a daemon too."},
	{{"request", "configuration-integrity", "enable"},
	 {{0}},
	 command_enable_integrity,
	 "Encrypt the configured directories under a key of the TPM; as root."},
	{{"request", "configuration-integrity", "zeroize"},
	 {{0}},
	 command_zeroize_integrity,
	 "Destroy what is in them, for good; asks for the router's name."},
	{{"request", "configuration-integrity", "reseal"},
	 {{0}},
	 command_reseal_integrity,
	 "Seal their key anew, for the configured PCRs as they are now."},
	{{"create", "software", "manifest"},
	 {{"image", PAIR_VALUE, "FILE"},
	  VERSION,
	  {"key", PAIR_VALUE, "KEY.pem"},
	  {"piece-size", PAIR_OPTIONAL, "BYTES"},
	  {"output", PAIR_VALUE, "DIR"}},
	 command_create_manifest,
	 "Make a repository entry out of an image and a key; no daemon is needed."},
	{{"import", "system", "software"},
	 {{"image", PAIR_VALUE, "FILE"}, {"manifest", PAIR_VALUE, "FILE"}},
	 command_import,
	 "Import an image with its manifest."},
};
const size_t n_commands = N_ELEMENTS(commands);
