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
