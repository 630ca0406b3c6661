// Package flow brings tokens to the state that profiles declare: it decides
// (purely), plans, and applies.
package flow
