// Programs that tests start: always ended by their own process id, never left behind.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/temp_dir.h"

namespace hearth::test {

using std::chrono::milliseconds;

// Asks until the condition holds; false when the deadline passes first. The only way in which a
// test waits for another process. HEARTH_PATIENCE=6 makes all deadlines six times as long, for
// programs that a sanitizer slows down.
inline bool eventually(const std::function<bool()>& condition,
                       milliseconds limit = milliseconds{15'000}) {
  static const int patience = [] {
    const char* wanted = std::getenv("HEARTH_PATIENCE");
    return wanted == nullptr ? 1 : std::max(1, std::atoi(wanted));
  }();
  const auto deadline = std::chrono::steady_clock::now() + patience * limit;
  for (;;) {
    if (condition()) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds{10});
  }
}

class ChildProcess {
 public:
  // Output goes to the files; an empty name is /dev/null.
  ChildProcess(const std::vector<std::string>& command, const std::string& out_file,
               const std::string& err_file) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    // The child dies with the test process, also when that is killed.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect(STDOUT_FILENO, out_file);
    redirect(STDERR_FILENO, err_file);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ~ChildProcess() { stop(SIGTERM); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] int pid() const { return pid_; }
  void send(int signal) const {
    if (!status_) ::kill(pid_, signal);
  }
  [[nodiscard]] bool is_running() {
    if (status_) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return !status_.has_value();
  }
  // The exit code, 128 + signal for a signal; nothing when it still runs after `limit`.
  std::optional<int> wait(milliseconds limit) {
    if (!eventually([this] { return !is_running(); }, limit)) return std::nullopt;
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
  }
  // Signals and waits; what does not end within ten seconds is killed.
  int stop(int signal) {
    send(signal);
    if (signal == SIGTERM) send(SIGCONT);
    auto code = wait(milliseconds{10'000});
    if (!code) {
      send(SIGKILL);
      code = wait(milliseconds{10'000});
    }
    return code.value_or(-1);
  }

 private:
  static void redirect(int fd, const std::string& file) {
    const int to =
        ::open(file.empty() ? "/dev/null" : file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(to, fd);
    ::close(to);
  }

  int pid_ = -1;
  std::optional<int> status_;
};

struct CommandResult {
  int exit_code = -1;  // -1: it did not end in time
  std::string out;
  std::string err;
};

// Runs a program to its end.
inline CommandResult run_command(const std::vector<std::string>& command,
                                 milliseconds limit = milliseconds{60'000}) {
  const TempDir dir;
  ChildProcess child(command, dir.file("out"), dir.file("err"));
  const auto code = child.wait(limit);
  if (!code) child.stop(SIGKILL);
  return {code.value_or(-1), dir.read("out"), dir.read("err")};
}

}  // namespace hearth::test
