# Language, warnings, hardening and sanitizers, the same for every target.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Assertions stay in a release: a station that goes on after the impossible could issue a key twice.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# Defined as empty, exactly as a source's own "#define _GNU_SOURCE" does, so that the two may meet.
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-D_GNU_SOURCE=>")

add_compile_options(-Wall -Wextra -Wshadow -Werror -Wformat-security -fno-common -fstack-protector-strong)
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wconversion;-Wstrict-prototypes;-Wmissing-prototypes;-Wvla>")
if(NOT CERTLINE_SANITIZE) # the sanitizers' own checks are sharper, and fortified calls slip past them
  add_compile_options("$<$<CONFIG:RelWithDebInfo>:-D_FORTIFY_SOURCE=2>")
endif()
add_link_options(-Wl,-z,relro,-z,now)

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported()

if(CERTLINE_SANITIZE)
  add_compile_options(-fsanitize=${CERTLINE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CERTLINE_SANITIZE})
endif()
if(CERTLINE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
