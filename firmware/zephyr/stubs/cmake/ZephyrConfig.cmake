# Stands for Zephyr's CMake package: the library "app" that an application adds its sources to. CERTLINE_AUTOCONF names
# the header with the configuration, CERTLINE_STUBS the folder of the stand-in headers.
add_library(app STATIC)
target_include_directories(app PRIVATE ${CERTLINE_STUBS}/include)
target_compile_options(app PRIVATE -imacros ${CERTLINE_AUTOCONF} -mcpu=cortex-m33 -mthumb -Os -std=c17 -Wall -Wextra
                                   -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror)
