// Key templates: "product:{id}".
//
//   {column}   the value of the column
//   {{  }}     a literal brace, so a hash tag is written "{{user{id}}}:cart" -> "{user7}:cart"
//
// "{{" and "}}" are read from the left, two characters at a time, except that a single '}' that
// ends a column comes first: in "{{{tenant}}}" the column is "tenant", and the tag's closing brace
// is the last "}}".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/buffer.h"
#include "tools/cache_warm/row.h"

namespace hearth::warm {

class KeyTemplate {
 public:
  // Errors: kInvalid, naming the position and what is wrong there. A template must name at least
  // one column, or every row would get the same key.
  static Result<KeyTemplate> parse(std::string_view text);

  // Looks the columns up. Errors: kInvalid, naming the column that is missing.
  Result<void> bind(const std::vector<Column>& columns);

  // Appends the key of a row. Returns the index of a column that is NULL, or -1. Call bind first.
  [[nodiscard]] int render(Row row, Buffer& out) const;

  [[nodiscard]] std::vector<std::string> columns() const;

 private:
  struct Part {
    std::string literal;  // goes in front of the column
    std::string column;   // empty only in the last part
    std::size_t index = 0;
  };
  std::vector<Part> parts_;
};

}  // namespace hearth::warm
