// The name of this process in the process list: `proc-title-template`.
//
// The text takes the place of the arguments and the environment in the memory that the kernel shows
// as the command line; both are copied away first. Longer texts are cut. One per process, made in
// main before threads or anything that keeps pointers into the environment.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/config/settings.h"

namespace hearth {

class ProcTitle {
 public:
  ProcTitle(int argc, char** argv);
  ~ProcTitle();
  ProcTitle(const ProcTitle&) = delete;
  ProcTitle& operator=(const ProcTitle&) = delete;

  void show(std::string_view text);
  // The program's name as it was called.
  [[nodiscard]] const std::string& program() const { return program_; }

 private:
  std::string program_;
  char* begin_ = nullptr;
  std::size_t room_ = 0;
  std::vector<std::unique_ptr<char[]>> environment_;  // the variables live here now
};

// The template with {title}, {listen-addr}, {server-mode}, {port}, {tls-port}, {unixsocket} and
// {config-file} filled in; blanks at the end are cut.
[[nodiscard]] std::string proc_title_text(const config::Settings& settings, std::string_view title,
                                          std::string_view config_file);

}  // namespace hearth
