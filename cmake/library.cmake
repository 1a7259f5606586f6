# SPDX-License-Identifier: GPL-3.0-or-later
# steward_library(NAME folder [libraries...])
#
# One folder of src/ becomes one static library. Others see its headers as "folder/x.h" only
# when they link it: the include path holds symbolic links to these headers, and not src/ itself.
# So an include that the architecture forbids does not compile. A folder in it ("folder/part") is
# a library of its own, and seen by nobody who does not link that. A header called *_private.h is
# seen by its own library alone.
function(steward_library name folder)
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.c)
	add_library(${name} STATIC ${sources})
	file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.h)
	set(private_headers ${headers})
	list(FILTER headers EXCLUDE REGEX "_private\\.h$")
	list(FILTER private_headers INCLUDE REGEX "_private\\.h$")
	link_headers(${CMAKE_BINARY_DIR}/headers/${name} ${folder} "${headers}")
	link_headers(${CMAKE_BINARY_DIR}/private-headers/${name} ${folder} "${private_headers}")
	target_include_directories(${name} PUBLIC ${CMAKE_BINARY_DIR}/headers/${name}
		PRIVATE ${CMAKE_BINARY_DIR}/private-headers/${name})
	target_link_libraries(${name} PUBLIC ${ARGN})
endfunction()

function(link_headers root folder headers)
	file(REMOVE_RECURSE ${root})
	file(MAKE_DIRECTORY ${root}/${folder})
	foreach(header ${headers})
		cmake_path(GET header FILENAME file)
		file(CREATE_LINK ${header} ${root}/${folder}/${file} SYMBOLIC)
	endforeach()
endfunction()

# steward_pure(NAME): this library does no I/O. The headers of what does it are others here, which
# say so and end the compilation.
function(steward_pure name)
	set(root ${CMAKE_BINARY_DIR}/forbidden/${name})
	foreach(header uv.h curl/curl.h microhttpd.h fcntl.h unistd.h poll.h pthread.h dirent.h
			sys/socket.h sys/stat.h sys/mman.h time.h sys/time.h)
		file(WRITE ${root}/${header} "#error \"${name} does no I/O and reads no clock: <${header}> is not for it\"\n")
	endforeach()
	target_include_directories(${name} BEFORE PRIVATE ${root})
endfunction()

# steward_program(NAME folder [libraries...]): likewise, but a program; its headers are its own.
function(steward_program name folder)
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.c)
	list(FILTER sources EXCLUDE REGEX "/main\\.c$")
	set(root ${CMAKE_BINARY_DIR}/include/${name})
	file(MAKE_DIRECTORY ${root})
	file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${folder} ${root}/${folder} SYMBOLIC)
	# All but main.c is a library too, so that unit tests can link it.
	add_library(${name}_parts STATIC ${sources})
	target_include_directories(${name}_parts PUBLIC ${root})
	target_link_libraries(${name}_parts PUBLIC ${ARGN})
	add_executable(${name} ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/main.c)
	target_link_libraries(${name} PRIVATE ${name}_parts)
endfunction()
