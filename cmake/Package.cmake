# What is installed, and the Debian package: `cmake --preset release && cmake --build build/release && cpack -G DEB
# --config build/release/CPackConfig.cmake`. Units and rules lie where Debian 12 has them; /etc/certline is made when the
# package is configured, since what is in it is the site's own.
include(GNUInstallDirs)

install(TARGETS certlined certline-sim RUNTIME DESTINATION bin)
install(FILES systemd/certlined.service systemd/certlined.socket DESTINATION /lib/systemd/system)
install(FILES systemd/certline.rules DESTINATION /lib/udev/rules.d RENAME 70-certline.rules)
install(FILES systemd/certline.sysusers DESTINATION lib/sysusers.d RENAME certline.conf)
install(FILES systemd/certline.tmpfiles DESTINATION lib/tmpfiles.d RENAME certline.conf)
install(FILES README.md config.example.toml packaging/copyright DESTINATION share/doc/certline)
install(FILES ${PROJECT_BINARY_DIR}/generated/changelog.gz DESTINATION share/doc/certline RENAME changelog.Debian.gz)
install(FILES packaging/certlined.completion DESTINATION share/bash-completion/completions RENAME certlined)
foreach(page certlined.8 certline-sim.1 certline.toml.5)
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${PROJECT_BINARY_DIR}/generated/${page}.gz DESTINATION share/man/man${section})
endforeach()

# Pages as Debian wants them: compressed without a name or a time, so that equal sources make equal packages.
foreach(page packaging/changelog packaging/certlined.8 packaging/certline-sim.1)
  get_filename_component(name ${page} NAME)
  set(output ${PROJECT_BINARY_DIR}/generated/${name}.gz)
  add_custom_command(OUTPUT ${output} COMMAND sh -c "gzip -9nc '${PROJECT_SOURCE_DIR}/${page}' >'${output}'"
                     DEPENDS ${page} VERBATIM)
  list(APPEND pages ${output})
endforeach()
set(output ${PROJECT_BINARY_DIR}/generated/certline.toml.5.gz)
add_custom_command(
  OUTPUT ${output}
  COMMAND sh -c "awk -f '${PROJECT_SOURCE_DIR}/cmake/page.awk' '${PROJECT_SOURCE_DIR}/config.example.toml' | gzip -9nc >'${output}'"
  DEPENDS config.example.toml cmake/page.awk VERBATIM)
list(APPEND pages ${output})
add_custom_target(pages ALL DEPENDS ${pages})

set(CPACK_PACKAGE_NAME certline)
set(CPACK_PACKAGE_CONTACT "Certline maintainers <maintainers@certline.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "provisions nRF91 cellular boards on factory lines")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "One daemon per station drives every board in its fixture racks at once over\nUSB serial, gives each board the credentials that belong to it, proves by\nSHA-256 that the modem holds exactly those, and keeps a record that an\nauditor can trust. With a dashboard, a REST API, and simulated boards.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION electronics)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd, init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates) # the example's CA is one of its files
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/postinst ${PROJECT_SOURCE_DIR}/packaging/prerm
                                       ${PROJECT_SOURCE_DIR}/packaging/postrm)
include(CPack)
