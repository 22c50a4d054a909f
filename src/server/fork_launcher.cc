// Reports of the child: a byte of kind and a length u32, then the payload.
//
//   'P'  keys u64, copied bytes u64
//   'E'  the words of an error; the child's exit status is 1 then
#include "src/server/fork_launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/system_text.h"

namespace hearth {
namespace {

constexpr std::size_t kReportHead = 5;
constexpr std::size_t kReportMost = 4096;
// How often the child says how far it is. Counting its memory costs milliseconds.
constexpr seconds kReportEvery{1};

// Memory of this process that it does not share with its parent, from /proc/self/smaps_rollup.
std::uint64_t private_dirty_bytes() {
  std::uint64_t bytes = 0;
  if (std::FILE* f = std::fopen("/proc/self/smaps_rollup", "r")) {
    char line[256];
    unsigned long kb = 0;
    while (std::fgets(line, sizeof line, f) != nullptr) {
      if (std::sscanf(line, "Private_Dirty: %lu kB", &kb) == 1) bytes += kb * 1024UL;
    }
    std::fclose(f);
  }
  return bytes;
}

void send_report(int fd, char kind, std::string_view payload) {
  std::string report(1, kind);
  ByteWriter(report).le(static_cast<std::uint32_t>(payload.size()));
  report += payload;
  // Small enough to be written as a whole. A parent that is gone reads nothing: nor does it matter.
  static_cast<void>(!::write(fd, report.data(), report.size()));
}

void send_progress(int fd, std::uint64_t keys) {
  std::string payload;
  ByteWriter w(payload);
  w.le(keys);
  w.le(private_dirty_bytes());
  send_report(fd, 'P', payload);
}

}  // namespace

void ForkLauncher::open() {
  uv_signal_init(loop_, &sigchld_);
  sigchld_.data = this;
  uv_signal_start(
      &sigchld_, [](uv_signal_t* h, int) { static_cast<ForkLauncher*>(h->data)->reap(); }, SIGCHLD);
}

void ForkLauncher::close() {
  stop_and_forget();
  uv_close(reinterpret_cast<uv_handle_t*>(&sigchld_), nullptr);
}

Result<int> ForkLauncher::start(Job job) {
  if (is_running()) return fail(ErrorCode::kBusy, "another child is running");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return fail(ErrorCode::kIo, fmt::format("pipe: {}", system_text(errno)));
  // A signal that arrives while the child still has the parent's handlers would be the parent's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const MonoTime start = clock_.mono_now();
  const int pid = fork();
  const int fork_error = errno;
  if (pid == 0) {
    for (const int number : {SIGTERM, SIGUSR1, SIGCHLD, SIGHUP, SIGQUIT})
      std::signal(number, SIG_DFL);
    std::signal(SIGINT, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (child_hook_) child_hook_(job.kind);
    run_child(job, ends[1], clock_);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return fail(ErrorCode::kIo, fmt::format("fork: {}", system_text(fork_error)));
  }
  last_fork_us_ = (clock_.mono_now() - start).count();
  ++forks_;
  pid_ = pid;
  pipe_ = ends[0];
  stopped_ = false;
  progress_ = {};
  error_.clear();
  received_.clear();
  job_ = std::move(job);
  poll_ = new uv_poll_t;
  uv_poll_init(loop_, poll_, pipe_);
  poll_->data = this;
  uv_poll_start(poll_, UV_READABLE | UV_DISCONNECT, [](uv_poll_t* h, int, int) {
    static_cast<ForkLauncher*>(h->data)->read_reports();
  });
  return pid;
}

void ForkLauncher::run_child(const Job& job, int pipe_fd, const Clock& clock) {
  // Clients' sockets and the listeners must end when the parent ends them.
  const int low = job.keep_fd >= 0 ? std::min(pipe_fd, job.keep_fd) : pipe_fd;
  const int high = std::max(pipe_fd, job.keep_fd);
  const auto close_between = [](int from, int to) {
    if (from <= to) close_range(static_cast<unsigned>(from), static_cast<unsigned>(to), 0);
  };
  close_between(STDERR_FILENO + 1, low - 1);
  close_between(low + 1, high - 1);
  close_range(static_cast<unsigned>(high) + 1, ~0U, 0);
  std::uint64_t keys = 0;
  MonoTime next = clock.mono_now();
  const auto report = [&](std::uint64_t written) {
    keys = written;
    const MonoTime now = clock.mono_now();
    if (now < next) return;
    next = now + kReportEvery;
    send_progress(pipe_fd, keys);
  };
  const auto done = job.run(getpid(), report);
  send_progress(pipe_fd, keys);
  if (!done) send_report(pipe_fd, 'E', std::string_view(done.error().context).substr(0, 1024));
  _exit(done ? 0 : 1);
}

void ForkLauncher::read_reports() {
  char chunk[kReportMost];
  for (;;) {
    const ssize_t got = ::read(pipe_, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      // The child closed its end: it is about to be reaped.
      if (got == 0) close_pipe();
      break;
    }
    received_.append(chunk, static_cast<std::size_t>(got));
  }
  bool moved = false;
  while (received_.size() >= kReportHead) {
    const auto length = load_le<std::uint32_t>(received_.data() + 1);
    if (length > kReportMost || received_.size() < kReportHead + length) break;
    const char* payload = received_.data() + kReportHead;
    if (received_[0] == 'P' && length == 2 * sizeof(std::uint64_t)) {
      progress_ = {load_le<std::uint64_t>(payload),
                   load_le<std::uint64_t>(payload + sizeof(std::uint64_t))};
      moved = true;
    } else if (received_[0] == 'E') {
      error_.assign(payload, length);
    }
    received_.erase(0, kReportHead + length);
  }
  if (moved && job_.on_progress) job_.on_progress(progress_);
}

void ForkLauncher::reap() {
  if (pid_ <= 0) return;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) finish(status);
}

void ForkLauncher::finish(int status) {
  if (pipe_ >= 0) read_reports();
  close_pipe();
  pid_ = 0;
  ChildOutcome outcome;
  outcome.stopped_by_us = stopped_;
  outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  outcome.error = error_;
  outcome.last = progress_;
  const Job job = std::exchange(job_, {});
  if (job.on_end) job.on_end(outcome);
}

void ForkLauncher::close_pipe() {
  if (poll_ != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)),
             [](uv_handle_t* h) { delete reinterpret_cast<uv_poll_t*>(h); });
  }
  if (pipe_ >= 0) ::close(std::exchange(pipe_, -1));
}

void ForkLauncher::stop() {
  if (pid_ <= 0) return;
  stopped_ = true;
  kill(pid_, SIGUSR1);
}

void ForkLauncher::stop_and_forget() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  close_pipe();
  job_ = {};
}

}  // namespace hearth
