# SPDX-License-Identifier: Apache-2.0
#
# Writes the .sql files (FILES) of a kind of store (NAME) into OUTPUT as the rows of a C array
# migrations_NAME (struct migration in sql/migrate.c). A migration is named NNNN_what_it_does.sql; NNNN is its version.
set(blobs "")
set(rows "")
list(SORT FILES)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+$")
    message(FATAL_ERROR "${file}: a migration is named NNNN_what_it_does.sql")
  endif()
  math(EXPR version "1${CMAKE_MATCH_1} - 10000")
  file(READ ${file} hex HEX)
  file(SHA256 ${file} sum)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," octets "${hex}")
  string(APPEND blobs "static const char ${NAME}_${name}[] = {${octets}0};\n")
  string(APPEND rows "    {${version}, \"${name}\", \"${sum}\", ${NAME}_${name}},\n")
endforeach()
file(WRITE ${OUTPUT} "${blobs}\nstatic const struct migration migrations_${NAME}[] = {\n${rows}};\n")
