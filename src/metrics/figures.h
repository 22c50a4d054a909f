// Figures: what the server can say about itself, as typed rows.
//
// A part of the server has tables of rows: name, kind, a sentence of help, and a function that
// reads the value off the part. A view walks the rows in their order; InfoText makes INFO of them.
//
//   constexpr FigureRow<Stats> kRows[] = {
//       {figure::counter("keyspace_hits", "Look-ups that found their key."),
//        [](const Stats& s) { return s.keyspace_hits; }},
//   };
//   show_rows<Stats>(kRows, &stats, view);
//
// A row may be a family: one line for each member (a database, a command), with named parts.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace hearth {

enum class FigureKind : std::uint8_t {
  kCounter,   // only grows, until the server ends or CONFIG RESETSTAT resets it
  kGauge,     // a measurement, which rises and falls
  kText,      // a state or a name that may change
  kSetting,   // what the configuration says
  kConstant,  // the same as long as the process runs
};

struct FigureInfo {
  std::string_view name;
  FigureKind kind = FigureKind::kGauge;
  std::string_view help;
  bool is_memory = false;  // bytes of memory: INFO adds a line <name>_human
};

namespace figure {
constexpr FigureInfo counter(std::string_view name, std::string_view help) {
  return {name, FigureKind::kCounter, help};
}
constexpr FigureInfo gauge(std::string_view name, std::string_view help) {
  return {name, FigureKind::kGauge, help};
}
constexpr FigureInfo memory(std::string_view name, std::string_view help) {
  return {name, FigureKind::kGauge, help, true};
}
constexpr FigureInfo text(std::string_view name, std::string_view help) {
  return {name, FigureKind::kText, help};
}
constexpr FigureInfo setting(std::string_view name, std::string_view help) {
  return {name, FigureKind::kSetting, help};
}
constexpr FigureInfo constant(std::string_view name, std::string_view help) {
  return {name, FigureKind::kConstant, help};
}
}  // namespace figure

// A value for the time of one call of a view: texts are borrowed.
class FigureValue {
 public:
  enum class Form : std::uint8_t { kNone, kInteger, kDecimal, kPercent, kText };

  // There is nothing to say now (the progress of a load while none is under way).
  constexpr FigureValue() = default;
  // NOLINTBEGIN(google-explicit-constructor): a getter returns what it has.
  template <std::integral T>
  constexpr FigureValue(T value)
      : form_(Form::kInteger), integer_(static_cast<std::int64_t>(value)) {}
  constexpr FigureValue(std::string_view text) : form_(Form::kText), text_(text) {}
  constexpr FigureValue(const char* text) : FigureValue(std::string_view(text)) {}
  FigureValue(const std::string& text) : FigureValue(std::string_view(text)) {}
  FigureValue(std::string&& text) = delete;
  // NOLINTEND(google-explicit-constructor)

  static constexpr FigureValue decimal(double value, int digits = 2) {
    FigureValue v;
    v.form_ = Form::kDecimal;
    v.decimal_ = value;
    v.digits_ = digits;
    return v;
  }
  // The share of `part` in `whole`, with two digits and a percent sign.
  static constexpr FigureValue percent(std::uint64_t part, std::uint64_t whole) {
    FigureValue v = decimal(100.0 * ratio(part, whole));
    v.form_ = Form::kPercent;
    return v;
  }
  // 0 if b is.
  static constexpr double ratio(std::uint64_t a, std::uint64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  }

  [[nodiscard]] constexpr Form form() const { return form_; }
  [[nodiscard]] constexpr std::int64_t integer() const { return integer_; }
  [[nodiscard]] constexpr double decimal() const { return decimal_; }
  [[nodiscard]] constexpr int digits() const { return digits_; }
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  Form form_ = Form::kNone;
  int digits_ = 0;
  std::int64_t integer_ = 0;
  double decimal_ = 0;
  std::string_view text_;
};

// The reader of the rows.
class FigureView {
 public:
  virtual ~FigureView() = default;
  virtual void begin_section(std::string_view title) = 0;
  // A row, and its value, which may be none.
  virtual void add(const FigureInfo& info, const FigureValue& value) = 0;
  // A row that is a family, then its members: each a label and its parts.
  virtual void begin_family(const FigureInfo& info) = 0;
  virtual void begin_member(std::string_view label) = 0;
  virtual void add_part(std::string_view name, const FigureValue& value) = 0;
  virtual void end_member() = 0;
};

template <typename Source>
class FigureRow {
 public:
  // get(source) is what a FigureValue is made of. It captures nothing.
  template <typename Get>
  requires std::is_invocable_v<Get, const Source&>
  constexpr FigureRow(const FigureInfo& info, Get) : info_(info), value_(&value_by<Get>) {}
  // Of a family: members(source, view) calls begin_member and so on for each.
  template <typename Members>
  requires std::is_invocable_v<Members, const Source&, FigureView&>
  constexpr FigureRow(const FigureInfo& info, Members members) : info_(info), members_(members) {}

  // A null source: the row without a value.
  void write(const Source* source, FigureView& view) const {
    if (members_ == nullptr) {
      view.add(info_, source == nullptr ? FigureValue() : value_(*source));
      return;
    }
    view.begin_family(info_);
    if (source != nullptr) members_(*source, view);
  }

 private:
  template <typename Get>
  static FigureValue value_by(const Source& source) {
    return FigureValue(Get{}(source));
  }

  FigureInfo info_;
  FigureValue (*value_)(const Source&) = nullptr;
  void (*members_)(const Source&, FigureView&) = nullptr;
};

template <typename Source>
void show_rows(std::span<const FigureRow<Source>> rows, const Source* source, FigureView& view) {
  for (const FigureRow<Source>& row : rows) row.write(source, view);
}

}  // namespace hearth
