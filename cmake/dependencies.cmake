# SPDX-License-Identifier: GPL-3.0-or-later
# steward_need(PREFIX package modules...): PkgConfig::PREFIX, or one more line of what is missing. All
# that is missing is named at once, by the Debian packages that have it (script/setup has them too).
function(steward_need prefix package)
	pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${ARGN})
	if(NOT ${prefix}_FOUND)
		list(JOIN ARGN ", " modules)
		set_property(GLOBAL APPEND_STRING PROPERTY STEWARD_MISSING
			"  ${modules}: Debian's package ${package}\n")
	endif()
endfunction()

function(steward_needs_are_met)
	get_property(missing GLOBAL PROPERTY STEWARD_MISSING)
	if(missing)
		message(FATAL_ERROR "Steward cannot be built, for pkg-config does not find\n${missing}"
			"script/setup installs all that building takes.")
	endif()
endfunction()

find_program(PKG_CONFIG_EXECUTABLE NAMES pkg-config pkgconf)
if(NOT PKG_CONFIG_EXECUTABLE)
	message(FATAL_ERROR "Steward cannot be built without pkg-config: Debian's package pkg-config.\n"
		"script/setup installs all that building takes.")
endif()
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
steward_need(UV libuv1-dev libuv)
steward_need(CURL libcurl4-openssl-dev libcurl)
steward_need(MHD libmicrohttpd-dev libmicrohttpd)
steward_need(YANG "libyang-dev, which Debian 12 calls libyang2-dev" libyang>=2)
steward_need(CJSON libcjson-dev libcjson)
steward_need(SYSTEMD libsystemd-dev libsystemd)
steward_need(CRYPTO libssl-dev libcrypto>=3)
steward_need(TSS2 libtss2-dev tss2-esys tss2-sys tss2-tctildr tss2-rc tss2-mu)
steward_need(SQLITE libsqlite3-dev sqlite3)
steward_need(PQ libpq-dev libpq)
steward_need(MOUNT libmount-dev mount)
steward_need(WOLFSSL libwolfssl-dev wolfssl)
if(STEWARD_TESTS)
	steward_need(CMOCKA "libcmocka-dev (or build without tests: -D STEWARD_TESTS=OFF)" cmocka)
	steward_need(LIBSSL libssl-dev libssl)
endif()
steward_needs_are_met()
