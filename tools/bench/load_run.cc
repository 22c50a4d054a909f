#include "tools/bench/load_run.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "src/base/system_text.h"

namespace hearth::bench {
namespace {

using Instant = std::chrono::steady_clock::time_point;

// Counts whole replies without building them. Only what GET, SET, HSET and PING answer.
class ReplyCounter {
 public:
  std::uint64_t errors = 0;
  std::uint64_t nulls = 0;

  // Consumes bytes; returns how many replies they completed, or -1 for bytes that are no reply.
  int count(const char* p, const char* end) {
    int complete = 0;
    while (p < end) {
      if (skip_ > 0) {
        const auto n = std::min<std::size_t>(skip_, static_cast<std::size_t>(end - p));
        skip_ -= n;
        p += n;
        if (skip_ == 0) ++complete;
        continue;
      }
      const char c = *p++;
      if (at_start_) {
        if (c != '+' && c != '-' && c != ':' && c != '$') return -1;
        mark_ = c;
        at_start_ = false;
        length_ = 0;
        negative_ = false;
        if (c == '-') ++errors;
      } else if (c == '\n') {
        at_start_ = true;
        if (mark_ == '$' && !negative_) {
          skip_ = length_ + 2;
        } else {
          if (mark_ == '$') ++nulls;
          ++complete;
        }
      } else if (mark_ == '$' && c != '\r') {
        if (c == '-')
          negative_ = true;
        else
          length_ = length_ * 10 + static_cast<std::size_t>(c - '0');
      }
    }
    return complete;
  }

 private:
  bool at_start_ = true;
  char mark_ = 0;
  bool negative_ = false;
  std::size_t length_ = 0;
  std::size_t skip_ = 0;
};

// Microseconds in buckets of 1/16 of a power of two: 6 % wide at most.
class Histogram {
 public:
  void add(std::uint64_t us) {
    ++total_;
    ++buckets_[bucket_of(us)];
  }
  double percentile(double p) const {
    const auto rank = static_cast<std::uint64_t>(static_cast<double>(total_) * p);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > rank) return static_cast<double>(lower_bound(i));
    }
    return 0;
  }

 private:
  static std::size_t bucket_of(std::uint64_t us) {
    if (us < 16) return static_cast<std::size_t>(us);
    const auto power = static_cast<std::size_t>(63 - std::countl_zero(us));
    return std::min<std::size_t>((power - 3) * 16 + ((us >> (power - 4)) & 15), kBuckets - 1);
  }
  static std::uint64_t lower_bound(std::size_t bucket) {
    if (bucket < 16) return bucket;
    const std::size_t power = bucket / 16 + 3;
    return (16 + bucket % 16) << (power - 4);
  }
  static constexpr std::size_t kBuckets = 16 * 40;
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t total_ = 0;
};

struct Connection {
  int fd = -1;
  std::string out;
  std::size_t sent = 0;
  int unanswered = 0;
  ReplyCounter counter;
  Instant sent_at{};
  std::deque<Instant> arrivals;  // open loop: when the requests that are unanswered were to be sent
};

Result<int> connect_to(const client::Endpoint& server) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (server.is_unix()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, server.path.c_str(), sizeof address.sun_path - 1);
    std::memcpy(&storage, &address, sizeof address);
    length = sizeof address;
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    if (inet_pton(AF_INET, server.host.c_str(), &address.sin_addr) != 1) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: give an IPv4 address", server.host));
    }
    std::memcpy(&storage, &address, sizeof address);
    length = sizeof address;
  }
  const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(ErrorCode::kIo, system_text(errno));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    ::close(fd);
    return fail(ErrorCode::kIo, fmt::format("{}: {}", server.str(), system_text(errno)));
  }
  const int on = 1;
  if (!server.is_unix()) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

struct CpuTime {
  double user_us = 0;
  double system_us = 0;
};

// utime and stime of all threads of a process: fields 14 and 15 of its stat file, in clock ticks.
Result<CpuTime> cpu_time_of(int pid) {
  if (pid == 0) return CpuTime{};
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const auto behind_name = text.rfind(')');
  if (behind_name == std::string::npos)
    return fail(ErrorCode::kIo, fmt::format("no process {}", pid));
  std::istringstream fields(text.substr(behind_name + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  const double tick_us = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return CpuTime{user * tick_us, system * tick_us};
}

class LoadRun {
 public:
  explicit LoadRun(const LoadOptions& options)
      : options_(options), workload_(options.workload), rng_(options.workload.seed + 1) {}
  ~LoadRun() {
    for (auto& connection : connections_) {
      if (connection.fd >= 0) ::close(connection.fd);
    }
    if (epoll_ >= 0) ::close(epoll_);
  }
  LoadRun(const LoadRun&) = delete;
  LoadRun& operator=(const LoadRun&) = delete;

  Result<LoadResult> run() {
    HEARTH_TRY_VOID(open());
    HEARTH_TRY(const CpuTime cpu_before, cpu_time_of(options_.server_pid));
    const Instant begun = std::chrono::steady_clock::now();
    to_send_ = to_answer_ = options_.requests;
    if (options_.rate > 0) {
      HEARTH_TRY_VOID(run_open_loop(begun));
    } else {
      for (auto& connection : connections_) HEARTH_TRY_VOID(send_next(connection));
      while (to_answer_ > 0) HEARTH_TRY_VOID(turn(kPatience));
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    HEARTH_TRY(const CpuTime cpu_after, cpu_time_of(options_.server_pid));

    LoadResult result;
    result.requests = options_.requests;
    result.seconds = took.count();
    const auto requests = static_cast<double>(options_.requests);
    result.user_us = (cpu_after.user_us - cpu_before.user_us) / requests;
    result.system_us = (cpu_after.system_us - cpu_before.system_us) / requests;
    result.p50_us = latency_.percentile(0.50);
    result.p99_us = latency_.percentile(0.99);
    result.p999_us = latency_.percentile(0.999);
    for (const auto& connection : connections_) {
      result.errors += connection.counter.errors;
      result.nulls += connection.counter.nulls;
    }
    return result;
  }

 private:
  using Span = std::chrono::nanoseconds;

  Result<void> open() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return fail(ErrorCode::kIo, system_text(errno));
    connections_.resize(static_cast<std::size_t>(options_.connections));
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      HEARTH_TRY(connections_[i].fd, connect_to(options_.server));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].fd, &event) != 0)
        return fail(ErrorCode::kIo, system_text(errno));
    }
    return {};
  }

  // Requests arrive at random, whether the earlier ones were answered or not. Unless `sleeps` says
  // so, this side never sleeps: how late it wakes up is not to be measured.
  Result<void> run_open_loop(Instant begun) {
    Instant next = begun;
    std::vector<std::size_t> due;
    while (to_answer_ > 0) {
      due.clear();
      for (const Instant now = std::chrono::steady_clock::now(); to_send_ > 0 && next <= now;) {
        const auto at = static_cast<std::size_t>(rng_.below(connections_.size()));
        Connection& connection = connections_[at];
        if (connection.out.empty()) due.push_back(at);
        workload_.append_next(connection.out);
        connection.arrivals.push_back(next);
        --to_send_;
        const double gap_ns = -std::log(1.0 - rng_.unit()) * 1e9 / options_.rate;
        next += std::chrono::nanoseconds(static_cast<std::int64_t>(gap_ns));
      }
      for (const std::size_t at : due) {
        HEARTH_TRY_VOID(send_all(connections_[at]));
        connections_[at].out.clear();
      }
      const auto wait = next - std::chrono::steady_clock::now();
      const bool sleeps = options_.sleeps && (to_send_ == 0 || wait.count() > 0);
      HEARTH_TRY_VOID(turn(sleeps ? (to_send_ == 0 ? kPatience : Span(wait)) : Span(0)));
    }
    return {};
  }

  // Blocking sends: a pipeline is small against the socket's buffers.
  Result<void> send_next(Connection& connection) {
    const auto count = static_cast<int>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(options_.pipeline), to_send_));
    if (count == 0) return {};
    connection.out.clear();
    for (int i = 0; i < count; ++i) workload_.append_next(connection.out);
    to_send_ -= static_cast<std::uint64_t>(count);
    connection.unanswered = count;
    connection.sent_at = std::chrono::steady_clock::now();
    return send_all(connection);
  }

  static Result<void> send_all(const Connection& connection) {
    for (std::size_t sent = 0; sent < connection.out.size();) {
      const auto n = ::send(connection.fd, connection.out.data() + sent,
                            connection.out.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(ErrorCode::kIo, fmt::format("send: {}", system_text(errno)));
      sent += static_cast<std::size_t>(n);
    }
    return {};
  }

  // Takes what has come, and waits for it as long as `limit`.
  Result<void> turn(Span limit) {
    std::array<epoll_event, 128> events;
    const timespec most{limit.count() / 1'000'000'000, limit.count() % 1'000'000'000};
    const int ready =
        ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &most, nullptr);
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::kIo, system_text(errno));
    if (ready == 0 && limit == kPatience) return fail(ErrorCode::kIo, "no reply for 10 seconds");
    for (int i = 0; i < ready; ++i) {
      Connection& connection =
          connections_[static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64)];
      const auto got = ::recv(connection.fd, buffer_.get(), kBufferBytes, MSG_DONTWAIT);
      if (got == 0) return fail(ErrorCode::kIo, "the server closed a connection");
      if (got < 0) continue;
      const int complete = connection.counter.count(buffer_.get(), buffer_.get() + got);
      if (complete < 0) return fail(ErrorCode::kCorrupt, "the server sent what is no reply");
      to_answer_ -= static_cast<std::uint64_t>(complete);
      if (options_.rate > 0) {
        for (int answered = 0; answered < complete; ++answered) {
          note_latency(connection.arrivals.front());
          connection.arrivals.pop_front();
        }
        continue;
      }
      connection.unanswered -= complete;
      if (connection.unanswered > 0) continue;
      note_latency(connection.sent_at);
      HEARTH_TRY_VOID(send_next(connection));
    }
    return {};
  }

  void note_latency(Instant since) {
    const auto took = std::chrono::steady_clock::now() - since;
    latency_.add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  }

  static constexpr Span kPatience = std::chrono::seconds(10);
  static constexpr std::size_t kBufferBytes = 256 * 1024;
  LoadOptions options_;
  Workload workload_;
  Rng rng_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kBufferBytes);
  std::uint64_t to_send_ = 0;
  std::uint64_t to_answer_ = 0;
  Histogram latency_;
};

}  // namespace

Result<LoadResult> run_load(const LoadOptions& options) { return LoadRun(options).run(); }

}  // namespace hearth::bench
