#include "src/server/proc_title.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace hearth {
namespace {

std::string listen_address(const config::Settings& s) {
  if (s.port == 0) return s.unixsocket;
  std::string host = s.bind.empty() ? "*" : s.bind.front();
  if (host.starts_with('-')) host.erase(0, 1);
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return host + ":" + std::to_string(s.port);
}

}  // namespace

ProcTitle::ProcTitle(int argc, char** argv) : program_(argv[0]), begin_(argv[0]) {
  // Arguments and variables lie behind each other; the room ends where that is no longer so.
  char* end = begin_;
  const auto take = [&](char* text) {
    if (text == end) end = text + std::strlen(text) + 1;
  };
  for (int i = 0; i < argc; ++i) take(argv[i]);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    char* const old = *variable;
    const std::size_t bytes = std::strlen(old) + 1;
    take(old);
    environment_.push_back(std::make_unique<char[]>(bytes));
    std::memcpy(environment_.back().get(), old, bytes);
    *variable = environment_.back().get();
  }
  room_ = static_cast<std::size_t>(end - begin_);
}

// Code that runs behind main finds no variables rather than freed ones.
ProcTitle::~ProcTitle() {
  static char* none[] = {nullptr};
  environ = none;
}

void ProcTitle::show(std::string_view text) {
  if (room_ == 0) return;
  const std::size_t bytes = std::min(text.size(), room_ - 1);
  std::memcpy(begin_, text.data(), bytes);
  std::memset(begin_ + bytes, 0, room_ - bytes);
}

std::string proc_title_text(const config::Settings& s, std::string_view title,
                            std::string_view config_file) {
  const std::pair<std::string_view, std::string> values[] = {
      {"{title}", std::string(title)},
      {"{listen-addr}", listen_address(s)},
      {"{server-mode}", s.cluster_enabled ? "[cluster]" : ""},
      {"{port}", std::to_string(s.port)},
      {"{tls-port}", "0"},
      {"{unixsocket}", s.unixsocket},
      {"{config-file}", std::string(config_file)},
  };
  std::string text;
  std::string_view rest = s.proc_title_template;
  while (!rest.empty()) {
    const auto* value = std::find_if(std::begin(values), std::end(values),
                                     [&](const auto& v) { return rest.starts_with(v.first); });
    if (value == std::end(values)) {
      text += rest.front();
      rest.remove_prefix(1);
      continue;
    }
    text += value->second;
    rest.remove_prefix(value->first.size());
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace hearth
