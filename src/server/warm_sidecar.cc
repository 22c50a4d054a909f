#include "src/server/warm_sidecar.h"

#include <unistd.h>

#include <climits>
#include <csignal>
#include <utility>

#include "src/base/log.h"

extern char** environ;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): POSIX's

namespace hearth {
namespace {

constexpr const char* kPasswordVariable = "HEARTH_PASSWORD";
constexpr std::size_t kReadBytes = 4096;

std::string working_directory() {
  char cwd[PATH_MAX];
  return getcwd(cwd, sizeof cwd) == nullptr ? std::string() : cwd;
}

// An address to reach this server at. "*" and its like are every address.
std::string own_host(const std::vector<std::string>& bind) {
  for (std::string host : bind) {
    if (host.starts_with('-')) host.erase(0, 1);
    if (host == "*" || host == "0.0.0.0") break;
    if (host == "::*" || host == "::") return "[::1]";
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
  }
  return "127.0.0.1";
}

}  // namespace

std::vector<std::string> sidecar_arguments(const config::Settings& settings,
                                           const std::string& cwd) {
  std::string target;
  // The nodes of a cluster know each other by their ports.
  if (!settings.unixsocket.empty() && (settings.port == 0 || !settings.cluster_enabled)) {
    target = settings.unixsocket.starts_with('/') ? settings.unixsocket
                                                  : cwd + "/" + settings.unixsocket;
    target = "unix:" + target;
  } else {
    target = own_host(settings.bind) + ":" + std::to_string(settings.port);
  }
  return {"cache-warm", "warm", settings.warm, "--target", target};
}

// Shared with the callbacks of its handles: it goes when the last of them is closed.
struct WarmSidecar::Run {
  struct Output {
    uv_pipe_t pipe{};
    std::optional<LineLog> lines;
    std::array<char, kReadBytes> buffer{};
  };
  uv_process_t process{};
  std::array<Output, 2> outputs;
  const Clock* clock = nullptr;
  WarmSidecar* owner = nullptr;  // null: it is not asked for any more
  bool is_running = false;
  bool is_closed = false;
  std::shared_ptr<Run> self;  // while handles are open
  int open_handles = 0;

  void close() {
    if (std::exchange(is_closed, true)) return;
    const auto closed = [](uv_handle_t* handle) {
      Run* run = static_cast<Run*>(handle->data);
      if (--run->open_handles == 0) std::exchange(run->self, nullptr);
    };
    for (Output& output : outputs) uv_close(reinterpret_cast<uv_handle_t*>(&output.pipe), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&process), closed);
  }
};

WarmSidecar::WarmSidecar() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) processors_ = set;
}

WarmSidecar::~WarmSidecar() { close(); }

void WarmSidecar::start(Parts parts) {
  parts_ = std::move(parts);
  if (parts_.settings->warm.empty()) return;
  policy_.emplace(parts_.clock->mono_now());
  tick();
}

void WarmSidecar::tick() {
  if (!policy_ || is_stopped_ || !policy_->is_due(parts_.clock->mono_now())) return;
  spawn();
  parts_.changed(*policy_);
}

void WarmSidecar::spawn() {
  if (run_) run_->close();
  run_.reset();
  const std::vector<std::string> words = sidecar_arguments(*parts_.settings, working_directory());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  // Never on the command line, which everybody may read.
  std::string password;
  std::vector<char*> variables;
  bool has_password = false;
  for (char** at = environ; *at != nullptr; ++at) {
    variables.push_back(*at);
    has_password =
        has_password || std::string_view(*at).starts_with(std::string(kPasswordVariable) + "=");
  }
  if (!parts_.settings->requirepass.empty() && !has_password) {
    password = std::string(kPasswordVariable) + "=" + parts_.settings->requirepass;
    variables.push_back(password.data());
  }
  variables.push_back(nullptr);

  auto run = std::make_shared<Run>();
  run->clock = parts_.clock;
  run->owner = this;
  uv_stdio_container_t stdio[3] = {};
  stdio[0].flags = UV_IGNORE;
  for (std::size_t i = 0; i < run->outputs.size(); ++i) {
    Run::Output& output = run->outputs[i];
    uv_pipe_init(parts_.loop, &output.pipe, 0);
    output.pipe.data = run.get();
    output.lines.emplace([](std::string_view line) { log::notice("cache-warm: {}", line); });
    stdio[i + 1].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
    stdio[i + 1].data.stream = reinterpret_cast<uv_stream_t*>(&output.pipe);
  }
  uv_process_options_t options{};
  options.file = parts_.program.c_str();
  options.args = argv.data();
  options.env = variables.data();
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = [](uv_process_t* process, std::int64_t code, int signal) {
    Run* ended = static_cast<Run*>(process->data);
    ended->is_running = false;
    if (ended->owner != nullptr) ended->owner->on_exit(code, signal);
  };
  run->process.data = run.get();
  run->self = run;
  run->open_handles = 3;
  // A child begins on the processors of its parent, which may be pinned to one.
  cpu_set_t own;
  const bool is_moved = processors_ && sched_getaffinity(0, sizeof own, &own) == 0 &&
                        sched_setaffinity(0, sizeof *processors_, &*processors_) == 0;
  const int failure = uv_spawn(parts_.loop, &run->process, &options);
  if (is_moved) static_cast<void>(sched_setaffinity(0, sizeof own, &own));
  const MonoTime now = parts_.clock->mono_now();
  if (failure != 0) {
    run->owner = nullptr;
    run->close();
    policy_->not_started(now);
    log::warning("Can't start {}: {}; next attempt in {} s", parts_.program, uv_strerror(failure),
                 policy_->pause().count());
    return;
  }
  run->is_running = true;
  // It does not keep the server from ending.
  uv_unref(reinterpret_cast<uv_handle_t*>(&run->process));
  for (Run::Output& output : run->outputs) {
    uv_unref(reinterpret_cast<uv_handle_t*>(&output.pipe));
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(&output.pipe),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
          Run* reading = static_cast<Run*>(handle->data);
          for (Run::Output& one : reading->outputs) {
            if (reinterpret_cast<uv_handle_t*>(&one.pipe) == handle)
              *buffer = uv_buf_init(one.buffer.data(), static_cast<unsigned>(one.buffer.size()));
          }
        },
        [](uv_stream_t* stream, ssize_t got, const uv_buf_t*) {
          Run* reading = static_cast<Run*>(stream->data);
          for (Run::Output& one : reading->outputs) {
            if (reinterpret_cast<uv_stream_t*>(&one.pipe) != stream) continue;
            const MonoTime when = reading->clock->mono_now();
            if (got > 0) one.lines->add({one.buffer.data(), static_cast<std::size_t>(got)}, when);
            if (got >= 0) continue;
            uv_read_stop(stream);
            one.lines->end(when);
          }
        });
  }
  policy_->started(now);
  log::notice("The loader is started (PID {}): {} warm {}", run->process.pid, parts_.program,
              parts_.settings->warm);
  run_ = std::move(run);
}

void WarmSidecar::on_exit(std::int64_t code, int signal) {
  policy_->ended(code, signal, parts_.clock->mono_now());
  const std::string how =
      signal != 0 ? "signal " + std::to_string(signal) : "exit code " + std::to_string(code);
  using State = SidecarPolicy::State;
  if (is_stopped_) {
    log::notice("The loader has ended ({})", how);
  } else if (policy_->state() == State::kDone) {
    log::notice("The loader is done ({})", how);
  } else if (policy_->state() == State::kFailed) {
    log::warning("The loader has failed ({}) and is not started again", how);
  } else {
    log::warning("The loader has failed ({}) and is started again in {} s", how,
                 policy_->pause().count());
  }
  run_->owner = nullptr;
  // Its last lines may still be in the pipes: they are closed at their ends, or by the next
  // run, or by the end of the server.
  parts_.changed(*policy_);
}

void WarmSidecar::stop() {
  is_stopped_ = true;
  if (run_ && run_->is_running) uv_process_kill(&run_->process, SIGTERM);
}

void WarmSidecar::close() {
  stop();
  if (!run_) return;
  if (run_->is_running) uv_process_kill(&run_->process, SIGKILL);
  run_->owner = nullptr;
  run_->close();
  run_.reset();
}

}  // namespace hearth
