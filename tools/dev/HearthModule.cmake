# hearth_module(NAME [HOT] DEPS ... LINK ... PRIVATE_LINK ...) : one static library per module folder.
#
# NAME is the folder's path with '/' as '_' (src/base -> base, cluster/bus -> cluster_bus). Every
# .cc of the folder belongs to it. DEPS are other modules, the same list that
# tools/dev/layers.toml gives for the folder, so a call that the layers forbid does not link.
# LINK and PRIVATE_LINK are third-party libraries. HOT modules are those that every request passes: with HEARTH_LTO they are
# optimised across modules, which is half of what a release build of them costs.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)

# A second clone takes what the first one compiled, but for the folder's name in its debug information.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CCACHE_SETTINGS CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1)
  if(HEARTH_PCH)
    # Without these ccache keeps away from precompiled headers. A precompiled header holds checksums of the files that it
    # was made of, comments included, by which GCC knows what "#pragma once" skips. So ccache must compare the files
    # themselves (depend mode) and not what the preprocessor leaves of them.
    list(APPEND CCACHE_SETTINGS CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1)
  endif()
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env ${CCACHE_SETTINGS} ${CCACHE})
endif()

# Undefined behaviour is looked for in what is shipped: its checks are a quarter of the time that the tests take to compile.
define_property(TARGET PROPERTY HEARTH_TESTS_ONLY INITIALIZE_FROM_VARIABLE HEARTH_TESTS_ONLY)
add_library(hearth_flags INTERFACE)
target_include_directories(hearth_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough
  -Werror -fno-omit-frame-pointer)
target_compile_definitions(hearth_flags INTERFACE
  $<$<CONFIG:Debug>:HEARTH_CHECKED=1>)
if(HEARTH_SANITIZE)
  target_compile_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE}
    $<$<BOOL:$<TARGET_PROPERTY:HEARTH_TESTS_ONLY>>:-fno-sanitize=undefined>)
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()
# GCC 12 warns of overlaps, ends and values in the standard library's own code that cannot be (bugs 105651, 105329, 105562).
target_compile_options(hearth_flags INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow;$<$<CONFIG:Release>:-Wno-maybe-uninitialized>>)
# Clang 14 has the sized operator delete of C++14 only on request.
target_compile_options(hearth_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-fsized-deallocation>)
if(HEARTH_FUZZ)
  target_compile_options(hearth_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endif()
if(HEARTH_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(LANGUAGES CXX)
  add_link_options(-flto=auto)
endif()

# The allocator of the binaries. Memory accounting reads jemalloc's counters; without it, the
# sanitizer's or the C library's.
add_library(hearth_allocator INTERFACE)
if(HEARTH_JEMALLOC)
  pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
  target_link_libraries(hearth_allocator INTERFACE PkgConfig::JEMALLOC)
  target_compile_definitions(hearth_allocator INTERFACE HEARTH_JEMALLOC=1)
endif()

# hearth_precompile(TARGET [HEADERS...]): half of the time of a debug build is reading headers. The
# modules share what is precompiled once; an executable, whose code is of another kind, has its own.
# HEADERS are written <from/the/root.h>: an absolute path would tell ccache one clone from another.
set(HEARTH_STANDARD_HEADERS
  <algorithm> <array> <chrono> <cstdint> <cstring> <deque> <functional> <map> <memory> <optional> <set> <span>
  <string> <string_view> <unordered_map> <utility> <variant> <vector>
  <fmt/format.h> <tl/expected.hpp>)
if(HEARTH_PCH)
  # A library must have a source, but this one is there for its precompiled header alone.
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cc CONTENT "")
  add_library(hearth_precompiled STATIC ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_link_libraries(hearth_precompiled PRIVATE hearth_flags fmt::fmt)
  target_compile_options(hearth_precompiled PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  target_precompile_headers(hearth_precompiled PRIVATE ${HEARTH_STANDARD_HEADERS})
endif()
function(hearth_precompile TARGET)
  if(NOT HEARTH_PCH)
    return()
  endif()
  # The compiler must say which precompiled header it takes for ccache to see it.
  target_compile_options(${TARGET} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  get_target_property(KIND ${TARGET} TYPE)
  if(KIND STREQUAL "STATIC_LIBRARY")
    target_precompile_headers(${TARGET} REUSE_FROM hearth_precompiled)
  else()
    target_precompile_headers(${TARGET} PRIVATE ${HEARTH_STANDARD_HEADERS} ${ARGN})
    get_target_property(SOURCES ${TARGET} SOURCES)
    list(FILTER SOURCES INCLUDE REGEX "main\\.cc$")  # asks doctest for its implementation
    if(SOURCES)
      set_source_files_properties(${SOURCES} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endif()
endfunction()

# hearth_batches(OUT SOURCES...): sets OUT to sources that include up to HEARTH_UNITY of the given ones each, since most
# of what a source costs is its headers. So names in anonymous namespaces are used once per module. CMake's own
# UNITY_BUILD names the sources by absolute paths, by which ccache tells one clone from another.
function(hearth_batches OUT)
  set(RESULT ${ARGN})
  if(HEARTH_UNITY)
    set(RESULT "")
    set(TEXT "")
    set(COUNT 0)
    foreach(SOURCE ${ARGN})
      file(RELATIVE_PATH NAME ${CMAKE_SOURCE_DIR} ${SOURCE})
      string(APPEND TEXT "#include \"${NAME}\"\n")
      math(EXPR COUNT "${COUNT} + 1")
      math(EXPR REST "${COUNT} % ${HEARTH_UNITY}")
      list(LENGTH ARGN TOTAL)
      if(REST EQUAL 0 OR COUNT EQUAL TOTAL)
        list(LENGTH RESULT NUMBER)
        set(BATCH ${CMAKE_CURRENT_BINARY_DIR}/batch_${NUMBER}.cc)
        file(CONFIGURE OUTPUT ${BATCH} CONTENT "${TEXT}" @ONLY)
        list(APPEND RESULT ${BATCH})
        set(TEXT "")
      endif()
    endforeach()
    # GCC takes what a source includes for a header, where an anonymous namespace would be a mistake.
    set_source_files_properties(${RESULT} PROPERTIES COMPILE_OPTIONS
      "$<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>")
  endif()
  set(${OUT} ${RESULT} PARENT_SCOPE)
endfunction()

function(hearth_module NAME)
  cmake_parse_arguments(ARG "HOT" "" "DEPS;LINK;PRIVATE_LINK" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(TARGET hearth_${NAME})
  set(MODULES ${ARG_DEPS})
  list(TRANSFORM MODULES PREPEND hearth_)
  if(SOURCES)
    hearth_batches(BATCHES ${SOURCES})
    add_library(${TARGET} STATIC ${BATCHES})
    target_link_libraries(${TARGET} PUBLIC hearth_flags ${MODULES} ${ARG_LINK})
    target_link_libraries(${TARGET} PRIVATE ${ARG_PRIVATE_LINK})
    if(HEARTH_LTO AND ARG_HOT)
      set_target_properties(${TARGET} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
    elseif(HEARTH_LTO)
      target_compile_options(${TARGET} PRIVATE -O2)
    endif()
    hearth_precompile(${TARGET})
  else()
    add_library(${TARGET} INTERFACE)
    target_link_libraries(${TARGET} INTERFACE hearth_flags ${MODULES} ${ARG_LINK})
  endif()
endfunction()
