// Key templates: "product:{id}".
//
//   {column}            the value of the column
//   {column:format}     the same, changed; several formats apply from left to right
//       lower, upper    ASCII letters
//       padN            zeros in front, up to N characters (1 .. 64)
//       url             bytes other than letters, digits and "-._~" as %XX
//   {"odd:name":lower}  a column whose name has a ':' or a brace
//   {{  }}              a literal brace, so a hash tag is written "{{user{id}}}:cart" ->
//                       "{user7}:cart"
//
// "{{" and "}}" are read from the left, two characters at a time, except that a single '}' that
// ends a column comes first: in "{{{tenant}}}" the column is "tenant", and the tag's closing brace
// is the last "}}".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/buffer.h"
#include "tools/warm_mapping/row.h"

namespace hearth::warm {

class KeyTemplate {
 public:
  // Errors: kInvalid, naming the position and what is wrong there. A template must name at least
  // one column, or every row would get the same key.
  static Result<KeyTemplate> parse(std::string_view text);

  // Looks the columns up. Errors: kInvalid, naming the column that is missing.
  Result<void> bind(const std::vector<Column>& columns);

  // Appends the key of a row. Returns the index of a column that has no text (NULL, or an array
  // that cannot be written), or -1. Call bind first.
  [[nodiscard]] int render(Row row, Buffer& out) const;

  [[nodiscard]] std::vector<std::string> columns() const;
  // Whether it has every key of the template, and others: '*' stands for each column. Characters of
  // the text that a glob knows are escaped.
  [[nodiscard]] std::string glob() const;
  // How many characters of a key are the template's own.
  [[nodiscard]] std::size_t literal_bytes() const;
  // Whether two values of one column can make one key ("{mail:lower}").
  [[nodiscard]] bool merges_values() const;
  // Whether keys can be taken apart: columns without formats, with text between each two.
  [[nodiscard]] bool is_invertible() const;
  // The values of the columns that make this key, in the order of columns(); each as short as it
  // can be, so where a value holds the text behind it, they are of another row or of none. Nothing
  // if the template makes no such key. Only of a template that is invertible.
  [[nodiscard]] std::optional<std::vector<std::string>> values_of(std::string_view key) const;
  // The beginning of every key.
  [[nodiscard]] std::string_view prefix() const { return parts_.front().literal; }
  [[nodiscard]] bool is_empty() const { return parts_.empty(); }

 private:
  enum class Change : std::uint8_t { kLower, kUpper, kPad, kUrl };
  struct Format {
    Change change;
    std::size_t width = 0;
  };
  struct Part {
    std::string literal{};  // goes in front of the column
    std::string column{};   // empty only in the last part
    std::vector<Format> formats{};
    std::size_t index = 0;
  };
  static Result<Part> parse_column(std::string_view inside);
  static Result<Format> parse_format(std::string_view word);
  static void apply(const Format& format, Buffer& out, std::size_t begin);
  std::vector<Part> parts_;
};

}  // namespace hearth::warm
