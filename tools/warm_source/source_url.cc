#include "tools/warm_source/source_url.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

bool is_plain_in_url(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/").find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

unexpected<Error> wrong_url(std::string_view url, std::string_view what) {
  return fail(ErrorCode::kInvalid, fmt::format("source '{}': {}", without_password(url), what));
}

Result<void> read_authority(std::string_view text, std::string_view whole, SourceUrl& url) {
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = text.substr(0, at);
    const auto colon = std::min(login.find(':'), login.size());
    const auto user = percent_decoded(login.substr(0, colon));
    if (!user) return wrong_url(whole, "'%' needs two hex digits");
    url.user = *user;
    if (colon < login.size()) {
      const auto password = percent_decoded(login.substr(colon + 1));
      if (!password) return wrong_url(whole, "'%' needs two hex digits");
      url.password = *password;
    }
    text = text.substr(at + 1);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return wrong_url(whole, "']' is missing");
    url.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    url.host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (port.empty()) return {};
  const auto number = parse_uint64(port.substr(1));
  if (port[0] != ':' || !number || *number == 0 || *number > 65535)
    return wrong_url(whole, "a port is 1 to 65535");
  url.port = static_cast<std::uint16_t>(*number);
  return {};
}

Result<void> read_options(std::string_view text, std::string_view whole, SourceUrl& url) {
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) return wrong_url(whole, "an option is name=value");
    const auto value = percent_decoded(pair.substr(equals + 1));
    if (!value) return wrong_url(whole, "'%' needs two hex digits");
    url.options[std::string(pair.substr(0, equals))] = *value;
    text = end == text.size() ? std::string_view{} : text.substr(end + 1);
  }
  return {};
}

Result<SourceUrl> parse_sqlite_url(std::string_view text, std::string_view rest) {
  SourceUrl url;
  url.kind = "sqlite";
  constexpr std::string_view kImmutable = "?immutable=1";
  if (rest.ends_with(kImmutable)) {
    url.options["immutable"] = "1";
    rest.remove_suffix(kImmutable.size());
  }
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    if (!rest.starts_with('/'))
      return wrong_url(text, "write sqlite:///absolute/path or sqlite:relative/path");
  }
  if (rest.empty()) return wrong_url(text, "names no file");
  url.path = rest;
  return url;
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_plain_in_url(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
      return std::nullopt;
    out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::string without_password(std::string_view url) {
  std::string out(url);
  const auto scheme = out.find("://");
  if (scheme != std::string::npos) {
    const auto begin = scheme + 3;
    // A password that was not encoded may hold a '/' itself, so the last '@' of all counts.
    const auto at = out.rfind('@');
    const auto colon = out.find(':', begin);
    if (at != std::string::npos && colon != std::string::npos && colon < at)
      out.replace(colon + 1, at - colon - 1, "***");
  }
  for (const std::string_view name : {"password=", "sslpassword="}) {
    for (auto at = out.find(name); at != std::string::npos; at = out.find(name, at + 1)) {
      const auto begin = at + name.size();
      const auto end = std::min(out.find_first_of("& ", begin), out.size());
      out.replace(begin, end - begin, "***");
    }
  }
  return out;
}

Result<SourceUrl> parse_source_url(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  if (colon != std::string_view::npos && scheme == "sqlite")
    return parse_sqlite_url(text, text.substr(colon + 1));
  const bool is_postgres = scheme == "postgres" || scheme == "postgresql";
  const bool is_mysql = scheme == "mysql" || scheme == "mariadb";
  if (colon == std::string_view::npos || (!is_postgres && !is_mysql)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("source '{}': the kinds of source are: sqlite, postgresql, mysql",
                            without_password(text)));
  }
  std::string_view rest = text.substr(colon + 1);
  if (!rest.starts_with("//")) return wrong_url(text, "'://' is missing");
  rest.remove_prefix(2);
  SourceUrl url;
  url.kind = is_postgres ? "postgresql" : "mysql";
  const auto question = std::min(rest.find('?'), rest.size());
  if (question < rest.size()) HEARTH_TRY_VOID(read_options(rest.substr(question + 1), text, url));
  rest = rest.substr(0, question);
  const auto slash = std::min(rest.find('/'), rest.size());
  HEARTH_TRY_VOID(read_authority(rest.substr(0, slash), text, url));
  const auto path = percent_decoded(slash < rest.size() ? rest.substr(slash + 1) : "");
  if (!path) return wrong_url(text, "'%' needs two hex digits");
  url.path = *path;
  return url;
}

}  // namespace hearth::warm
