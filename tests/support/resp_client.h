// A blocking client on a raw socket: sends any bytes, reads replies of RESP2 and RESP3.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/proto/reply_parser.h"

namespace hearth::test {

class RespClient {
 public:
  static constexpr int kLimitMs = 20'000;

  explicit RespClient(int port, const std::string& host = "127.0.0.1") {
    if (host.find(':') != std::string::npos) {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(static_cast<std::uint16_t>(port));
      ::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr);
      connect(&address, sizeof address, AF_INET6);
    } else {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(port));
      ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
      connect(&address, sizeof address, AF_INET);
    }
  }
  explicit RespClient(const std::string& unix_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    connect(&address, sizeof address, AF_UNIX);
  }
  ~RespClient() { close(); }
  RespClient(const RespClient&) = delete;
  RespClient& operator=(const RespClient&) = delete;

  [[nodiscard]] bool is_connected() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // Ends this side of the connection; replies can still be read.
  void stop_sending() { ::shutdown(fd_, SHUT_WR); }

  bool send_raw(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool send(const std::vector<std::string>& args) {
    std::string bytes = "*" + std::to_string(args.size()) + "\r\n";
    for (const auto& arg : args) bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
    return send_raw(bytes);
  }
  // The next reply; nothing when the connection ended or nothing came in time.
  std::optional<RespValue> read(int limit_ms = kLimitMs) {
    for (;;) {
      auto reply = parser_.next();
      if (!reply) return std::nullopt;
      if (*reply) return *std::move(*reply);
      if (!receive(limit_ms)) return std::nullopt;
    }
  }
  std::optional<RespValue> run(const std::vector<std::string>& args, int limit_ms = kLimitMs) {
    if (!send(args)) return std::nullopt;
    return read(limit_ms);
  }
  // The reply as one text: errors with their '-', integers in decimal, null as "(nil)", items
  // separated by blanks, a lost connection as "(closed)".
  std::string text(const std::vector<std::string>& args, int limit_ms = kLimitMs) {
    const auto reply = run(args, limit_ms);
    return reply ? as_text(*reply) : "(closed)";
  }
  // True when the server closes the connection in time; replies before that are skipped.
  bool is_closed_by_server(int limit_ms = kLimitMs) {
    while (receive(limit_ms)) {
    }
    return ended_;
  }

  // Takes at least so many bytes of a reply and drops them; false when the connection ended first
  // or nothing came in time. Replies cannot be read after it.
  bool drop_bytes(std::size_t bytes) {
    char buffer[64 * 1024];
    while (bytes > 0) {
      pollfd ready{fd_, POLLIN, 0};
      if (::poll(&ready, 1, kLimitMs) != 1) return false;
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      bytes -= std::min(bytes, static_cast<std::size_t>(got));
    }
    return true;
  }

  static std::string as_text(const RespValue& value) {
    switch (value.kind) {
      case RespKind::kError: return "-" + std::string(value.text());
      case RespKind::kInteger: return std::to_string(value.integer());
      case RespKind::kNull: return "(nil)";
      case RespKind::kBool: return std::get<bool>(value.data) ? "true" : "false";
      case RespKind::kDouble: return std::to_string(std::get<double>(value.data));
      case RespKind::kArray:
      case RespKind::kMap:
      case RespKind::kSet:
      case RespKind::kPush: {
        std::string all;
        for (const auto& item : value.items()) all += (all.empty() ? "" : " ") + as_text(item);
        return all;
      }
      default: return std::string(value.text());
    }
  }

 private:
  void connect(const void* address, socklen_t size, int family) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd_, static_cast<const sockaddr*>(address), size) != 0) close();
  }
  bool receive(int limit_ms) {
    if (fd_ < 0) return false;
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, limit_ms) != 1) return false;
    char buffer[16 * 1024];
    const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    parser_.feed({buffer, static_cast<std::size_t>(got)});
    return true;
  }

  int fd_ = -1;
  bool ended_ = false;
  ReplyParser parser_;
};

}  // namespace hearth::test
