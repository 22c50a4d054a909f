// Where a server listens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace hearth::client {

// Either host and port, or the path of a Unix socket (then host is empty and port 0).
struct Endpoint {
  std::string host;  // name, IPv4 or IPv6 address without brackets
  std::uint16_t port = 0;
  std::string path;

  [[nodiscard]] bool is_unix() const noexcept { return !path.empty(); }
  // "host:port", "[v6]:port", "unix:/path": what parse_endpoint reads.
  [[nodiscard]] std::string str() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Reads "host:port", "host" (port 6379), "[::1]:7001", "unix:/path" or "/path".
// An IPv6 address with a port needs its brackets. Errors: kInvalid, naming the text.
Result<Endpoint> parse_endpoint(std::string_view text);

// A server with what it takes to log in.
struct ServerUrl {
  Endpoint endpoint;
  std::string username{};
  std::string password{};
  std::uint16_t db = 0;
};

// Reads "redis://[[user]:password@]host[:port][/db]", in which user and password may hold "%40" for
// '@' and the like. Errors: kInvalid.
Result<ServerUrl> parse_server_url(std::string_view text);

// Reads the form that servers use in redirects, "host:port", where the host may be an IPv6 address
// without brackets, and may be empty or "?": then it is `same_host`, the one that answered.
Result<Endpoint> parse_redirect_endpoint(std::string_view text, const Endpoint& same_host);

}  // namespace hearth::client
