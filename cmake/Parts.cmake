# cl_part(name [FILES glob…] [EXCEPT file…] [ROOT dir] [SEES part…] [FOREIGN target…])
#
# The static library cl_<name> of daemon/<name>/*.c, or of FILES; ROOT (default daemon) is where its includes are written
# from. It links those of the parts it SEES that exist. A part without a file does not exist.
function(cl_part name)
  cmake_parse_arguments(PART "" "ROOT" "FILES;EXCEPT;SEES;FOREIGN" ${ARGN})
  if(NOT PART_ROOT)
    set(PART_ROOT daemon)
  endif()
  if(NOT PART_FILES)
    set(PART_FILES daemon/${name}/*.c)
  endif()
  if(CERTLINE_PARTS AND PART_ROOT STREQUAL daemon AND NOT name IN_LIST CERTLINE_PARTS)
    return()
  endif()

  list(TRANSFORM PART_FILES PREPEND ${PROJECT_SOURCE_DIR}/)
  list(TRANSFORM PART_EXCEPT PREPEND ${PROJECT_SOURCE_DIR}/)
  file(GLOB sources CONFIGURE_DEPENDS ${PART_FILES})
  list(REMOVE_ITEM sources ${PART_EXCEPT})
  if(NOT sources)
    return()
  endif()

  add_library(cl_${name} STATIC ${sources})
  target_include_directories(cl_${name} PUBLIC ${PROJECT_SOURCE_DIR}/${PART_ROOT} ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(cl_${name} PRIVATE ${PART_FOREIGN})
  foreach(lower IN LISTS PART_SEES)
    if(TARGET cl_${lower})
      target_link_libraries(cl_${name} PRIVATE cl_${lower})
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY CERTLINE_LIBRARIES cl_${name})
endfunction()

# cl_program(name main.c part…): an executable, once its main file and its first part are there.
function(cl_program name main)
  file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${main})
  if(NOT found OR NOT TARGET cl_${ARGV2})
    return()
  endif()
  add_executable(${name} ${main})
  get_filename_component(root ${main} DIRECTORY)
  if(root MATCHES "^firmware")
    set(root firmware)
  endif()
  target_include_directories(${name} PRIVATE ${root} ${PROJECT_BINARY_DIR}/generated)
  foreach(part IN LISTS ARGN)
    if(TARGET cl_${part})
      target_link_libraries(${name} PRIVATE cl_${part})
    endif()
  endforeach()
endfunction()

# cl_embed(library file symbol): the file's octets and a NUL as `const char symbol[]`, `symbol_len` without the NUL, and
# an entity tag `symbol_etag`, linked into the library.
function(cl_embed library file symbol)
  file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
  if(NOT found OR NOT TARGET ${library})
    return()
  endif()
  set(output ${PROJECT_BINARY_DIR}/generated/${symbol}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${PROJECT_SOURCE_DIR}/${file} -DSYMBOL=${symbol} -DOUTPUT=${output}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${PROJECT_SOURCE_DIR}/${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(${library} PRIVATE ${output})
endfunction()

# cl_embed_folder(library folder header): every file below the folder, under its path there, as the tables `assets` and
# `n_assets` that the header declares. A file of a type that is not listed here is refused, so that none is left out in
# silence.
function(cl_embed_folder library folder header)
  if(NOT TARGET ${library})
    return()
  endif()
  set(type_html "text/html; charset=utf-8")
  set(type_css "text/css; charset=utf-8")
  set(type_js "text/javascript; charset=utf-8")
  set(type_json "application/json")
  set(type_svg "image/svg+xml")
  set(type_png "image/png")
  set(type_ico "image/x-icon")
  set(type_woff2 "font/woff2")
  set(type_txt "text/plain; charset=utf-8")

  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/${folder} ${PROJECT_SOURCE_DIR}/${folder}/*)
  list(FILTER files EXCLUDE REGEX "\\.md$")
  list(SORT files)
  set(externs "")
  set(rows "")
  foreach(file IN LISTS files)
    get_filename_component(extension ${file} LAST_EXT)
    string(SUBSTRING "${extension}" 1 -1 extension)
    if(NOT DEFINED type_${extension})
      message(FATAL_ERROR "${folder}/${file}: no content type is known for .${extension}")
    endif()
    string(MAKE_C_IDENTIFIER "asset_${folder}_${file}" symbol)
    cl_embed(${library} ${folder}/${file} ${symbol})
    string(APPEND externs "extern const char ${symbol}[], ${symbol}_etag[];\nextern const size_t ${symbol}_len;\n")
    string(APPEND rows "    {\"/${file}\", \"${type_${extension}}\", ${symbol}, &${symbol}_len, ${symbol}_etag},\n")
  endforeach()
  list(LENGTH files count)
  set(output ${PROJECT_BINARY_DIR}/generated/assets_${folder}.c)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT "/* Made from ${folder}/ by the build. */
#include \"${header}\"

${externs}
const struct asset assets[] = {
${rows}    {NULL, NULL, NULL, NULL, NULL},
};
const size_t n_assets = ${count};
")
  target_sources(${library} PRIVATE ${output})
endfunction()
