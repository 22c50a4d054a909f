#include "tools/client/endpoint.h"

#include <fmt/core.h>

#include <optional>

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

// Undoes "%41"; nothing for a '%' without two hex digits.
std::optional<std::string> percent_decoded(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
      return std::nullopt;
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return out;
}

// A URL as it may be shown: the last '@' ends its password, which may hold others.
std::string without_password(std::string_view url) {
  const auto begin = url.find("://");
  const auto at = url.rfind('@');
  if (begin == std::string_view::npos || at == std::string_view::npos || at < begin)
    return std::string(url);
  const auto colon = url.find(':', begin + 3);
  if (colon == std::string_view::npos || colon > at) return std::string(url);
  return fmt::format("{}:***{}", url.substr(0, colon), url.substr(at));
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

Result<ServerUrl> parse_server_url(std::string_view text) {
  constexpr std::string_view kScheme = "redis://";
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::kInvalid, fmt::format("'{}': {}", without_password(text), what));
  };
  if (!text.starts_with(kScheme)) return wrong("a server's URL begins with redis://");
  std::string_view rest = text.substr(kScheme.size());
  ServerUrl url;
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view number = rest.substr(slash + 1);
    const auto db = parse_uint64(number);
    if (!number.empty() && (!db || *db > 65535)) return wrong("the path is no database number");
    url.db = static_cast<std::uint16_t>(db.value_or(0));
    rest = rest.substr(0, slash);
  }
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = rest.substr(0, at);
    const auto colon = login.find(':');
    if (colon == std::string_view::npos) return wrong("a password stands behind ':'");
    const auto username = percent_decoded(login.substr(0, colon));
    const auto password = percent_decoded(login.substr(colon + 1));
    if (!username || !password) return wrong("'%' needs two hex digits");
    url.username = *username;
    url.password = *password;
    rest = rest.substr(at + 1);
  }
  auto endpoint = parse_endpoint(rest);
  if (!endpoint) return wrong(endpoint.error().context);
  url.endpoint = *std::move(endpoint);
  if (url.endpoint.is_unix()) return wrong("the URL names no host");
  return url;
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
