// A second SIGINT while the server is busy with its last save.
#pragma once

#include <csignal>

namespace hearth {

// While it lives, SIGINT ends the process at once and removes one file: the loop, which looks after
// signals otherwise, does not run during the save. One at a time, on the engine thread.
class InsistGuard {
 public:
  // The path may be up to 1023 bytes long; a longer one stays where it is.
  explicit InsistGuard(const char* unfinished_file);
  ~InsistGuard();
  InsistGuard(const InsistGuard&) = delete;
  InsistGuard& operator=(const InsistGuard&) = delete;

 private:
  struct sigaction before_ {};
};

}  // namespace hearth
