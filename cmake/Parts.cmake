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

# cl_embed(library file symbol): the file's octets and a NUL as `const char symbol[]`, linked into the library.
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
    DEPENDS ${file} cmake/embed.cmake
    VERBATIM)
  target_sources(${library} PRIVATE ${output})
endfunction()
