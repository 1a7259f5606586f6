# SPDX-License-Identifier: GPL-3.0-or-later
# How everything is compiled: one place, so that no file is held to less.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# Assertions stay: a daemon that stops at our own mistake is restarted, one that goes on is not.
foreach(type RELWITHDEBINFO RELEASE MINSIZEREL)
	string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()
get_property(of_many GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT of_many)
	set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "What is optimised for" FORCE)
endif()

# Every program is bound at its start: what the dynamic linker saves of the registers at the first call
# of a function stays on the stack, secrets among it.
add_link_options(-Wl,--as-needed -Wl,-z,now)
add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64)
# Warnings are errors in the developers' presets alone: another compiler has warnings of its own.
add_compile_options(-Wall -Wextra $<$<BOOL:${STEWARD_WERROR}>:-Werror> -Wconversion -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wformat=2 -Wvla -Wundef -fno-common)
# snprintf is used because it cuts: paths are checked where they are made, messages may be cut.
add_compile_options($<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
# libyang's macros cast const away. GCC does not look into macros of the system's, clang does.
add_compile_options($<$<C_COMPILER_ID:GNU>:-Wcast-qual>)
# assert(!"what never happens") is meant.
add_compile_options($<$<C_COMPILER_ID:Clang>:-Wno-string-conversion>)

if(STEWARD_SANITIZE)
	add_compile_options(-fsanitize=${STEWARD_SANITIZE} -fno-omit-frame-pointer
		-fno-sanitize-recover=undefined)
	add_link_options(-fsanitize=${STEWARD_SANITIZE})
	# What a sanitizer adds hides from GCC's optimiser that a value was set (its manual warns of this).
	add_compile_options($<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()

if(STEWARD_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(STEWARD_COVERAGE)
	add_compile_options(--coverage)
	add_link_options(--coverage)
endif()

if(STEWARD_HARDENED)
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
		-fstack-clash-protection -fcf-protection=full)
	add_link_options(-pie -Wl,-z,relro -Wl,-z,noexecstack)
endif()
