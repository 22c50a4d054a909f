// An authority of a test's own and certificates that it signed, made by openssl.
#pragma once

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/database_process.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

namespace hearth::test {

class Certificates {
 public:
  // In a directory of `user`, whose server reads them.
  explicit Certificates(const std::string& user) : user_(user) {
    give_to_user(dir_, user);
    ok_ = find_program("openssl").has_value() && make_authority("ca") && make_authority("other");
  }
  // False where openssl is not installed, or does not make them.
  [[nodiscard]] bool ok() const { return ok_; }

  // NAME.pem and NAME.key, signed by "ca". `alternative` is "IP:127.0.0.1", "DNS:db.test" and the
  // like. Replaces those of that name.
  bool sign(const std::string& name, const std::string& subject, const std::string& alternative) {
    const std::string more = dir_.write("extensions", "subjectAltName=" + alternative + "\n");
    ok_ = ok_ &&
          run({"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + subject, "-keyout",
               key(name), "-out", dir_.file("request")}) &&
          run({"x509", "-req", "-in", dir_.file("request"), "-CA", pem("ca"), "-CAkey", key("ca"),
               "-CAcreateserial", "-days", "2", "-extfile", more, "-out", pem(name)});
    return ok_ && give(key(name));
  }
  [[nodiscard]] std::string pem(const std::string& name) const { return dir_.file(name + ".pem"); }
  [[nodiscard]] std::string key(const std::string& name) const { return dir_.file(name + ".key"); }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  // The user's, and nobody else's: servers refuse other keys.
  [[nodiscard]] bool give(const std::string& path) const {
    const passwd* entry = ::getpwnam(user_.c_str());
    if (::geteuid() == 0 && entry != nullptr &&
        ::chown(path.c_str(), entry->pw_uid, entry->pw_gid) != 0)
      return false;
    return ::chmod(path.c_str(), 0600) == 0;
  }

 private:
  bool make_authority(const std::string& name) {
    return run({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=authority " + name, "-keyout", key(name), "-out", pem(name)});
  }
  static bool run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const auto done = run_command(arguments);
    if (done.exit_code != 0) std::fprintf(stderr, "openssl: %s\n", done.err.c_str());
    return done.exit_code == 0;
  }

  TempDir dir_;
  std::string user_;
  bool ok_ = false;
};

}  // namespace hearth::test
