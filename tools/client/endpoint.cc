#include "tools/client/endpoint.h"

#include <fmt/core.h>

#include "src/base/parse_number.h"

namespace hearth::client {
namespace {

constexpr std::uint16_t kDefaultPort = 6379;

Result<std::uint16_t> parse_port(std::string_view text, std::string_view whole) {
  const auto port = parse_uint64(text);
  if (!port || *port == 0 || *port > 65535) {
    return fail(ErrorCode::kInvalid,
                fmt::format("'{}': '{}' is no port (1 .. 65535)", whole, text));
  }
  return static_cast<std::uint16_t>(*port);
}

}  // namespace

std::string Endpoint::str() const {
  if (is_unix()) return "unix:" + path;
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const std::string_view whole = text;
  if (text.starts_with("unix:")) text.remove_prefix(5);
  if (text.starts_with('/')) return Endpoint{"", 0, std::string(text)};
  if (text.empty() || text.size() != whole.size()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("'{}' is no address (host:port, [v6]:port or unix:/path)", whole));
  }
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos)
      return fail(ErrorCode::kInvalid, fmt::format("'{}': ']' is missing", whole));
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && port[0] != ':')
      return fail(ErrorCode::kInvalid, fmt::format("'{}': a port follows ']:'", whole));
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    if (text.find(':', colon + 1) != std::string_view::npos) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("'{}': write an IPv6 address as [address]:port", whole));
    }
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (host.empty()) return fail(ErrorCode::kInvalid, fmt::format("'{}' names no host", whole));
  if (port.empty()) return Endpoint{std::string(host), kDefaultPort, ""};
  HEARTH_TRY(const std::uint16_t number, parse_port(port.substr(1), whole));
  return Endpoint{std::string(host), number, ""};
}

Result<Endpoint> parse_redirect_endpoint(std::string_view text, const Endpoint& same_host) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is no host:port", text));
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  HEARTH_TRY(const std::uint16_t port, parse_port(text.substr(colon + 1), text));
  if (host.empty() || host == "?") {
    // A node reached by a Unix socket has no host to share; its peers are on this machine.
    return Endpoint{same_host.is_unix() ? "127.0.0.1" : same_host.host, port, ""};
  }
  return Endpoint{std::string(host), port, ""};
}

}  // namespace hearth::client
