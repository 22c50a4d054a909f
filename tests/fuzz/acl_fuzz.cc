// Rules of a user, one a line, of which those are taken that are accepted: the file that is written
// of the user reads back as the same. And a file of users of unknown origin is refused, or what is
// written of it reads back as the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "src/acl/users.h"
#include "src/base/check.h"
#include "src/command/rights.h"
#include "src/commands/all.h"

namespace {

using namespace hearth;

void check_round_trip(const acl::Users& users, const acl::Catalog& catalog) {
  const std::string text = users.file_text();
  acl::Users again(catalog);
  auto parsed = again.parse(text, "f");
  HEARTH_CHECK(parsed.has_value());
  HEARTH_CHECK(parsed->size() == users.all().size());
  for (auto& [name, user] : *parsed) again.put(std::move(user));
  HEARTH_CHECK(again.file_text() == text);
  for (const auto& [name, user] : users.all()) {
    const acl::User* other = again.find(name);
    HEARTH_CHECK(other != nullptr && other->selectors().size() == user.selectors().size());
    // Rules that take a command away and give it back are not written; the rights are the same.
    for (std::size_t i = 0; i < user.selectors().size(); ++i) {
      for (std::uint32_t id = 0; id < acl::kCommandsMost; ++id) {
        HEARTH_CHECK(other->selectors()[i].allows_command(id, "") ==
                     user.selectors()[i].allows_command(id, ""));
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<const CommandSpec*> specs = all_commands();
  static const CommandTable table(specs);
  static const acl::Catalog catalog = acl_catalog(table);
  const std::string_view input(reinterpret_cast<const char*>(data),
                               std::min<std::size_t>(size, 4096));
  acl::Users users(catalog);
  std::string_view rest = input;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view rule = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (auto user = users.with_rules("ann", std::span(&rule, 1))) users.put(std::move(*user));
  }
  check_round_trip(users, catalog);

  acl::Users loaded(catalog);
  if (auto parsed = loaded.parse(input, "f")) {
    for (auto& [name, user] : *parsed) loaded.put(std::move(user));
    check_round_trip(loaded, catalog);
  }
  return 0;
}
