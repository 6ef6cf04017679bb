// The panels whose drawing is a part of Grafana itself and not of its component library.

import { DataFrame, FieldType, GrafanaTheme2, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import React from 'react';
import type { Json } from './frames';

type Props = { frames: DataFrame[]; panel: Json; theme: GrafanaTheme2; width: number; height: number };

const colourOf = (theme: GrafanaTheme2, name?: string) => theme.visualization.getColorByName(name ?? 'text');
const values = (frame: DataFrame, place: number) => Array.from(frame.fields[place].values as Json) as Json[];
const shownValue = (field: Json, value: number) => formattedValueToString(field.display(value));
const clock = (ms: number) => new Date(ms).toISOString().slice(11, 19);
const LEGEND = 26;

function Legend({ items, theme, top }: { items: Array<[string, string]>; theme: GrafanaTheme2; top: number }) {
  return (
    <div style={{ position: 'absolute', top, left: 8, display: 'flex', gap: 16, fontSize: 12, color: theme.colors.text.primary }}>
      {items.map(([name, colour]) => (
        <span key={name}>
          <i style={{ display: 'inline-block', width: 14, height: 4, borderRadius: 2, background: colour, marginRight: 6, verticalAlign: 'middle' }} />
          {name}
        </span>
      ))}
    </div>
  );
}

function ticks(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + ((i + 0.5) * (to - from)) / count);
}

export function StateTimeline({ frames, panel, theme, width, height, range }: Props & { range: [number, number] }) {
  const text = theme.colors.text.secondary;
  const names = frames.map((frame) => getFieldDisplayName(frame.fields[1], frame, frames));
  const left = Math.min(220, 12 + 7 * Math.max(...names.map((name) => name.length)));
  const bottom = 22 + LEGEND;
  const row = (height - bottom) / frames.length;
  const x = (ms: number) => left + ((ms - range[0]) / (range[1] - range[0])) * (width - left - 8);
  const seen = new Map<string, string>();
  const boxes = frames.flatMap((frame, index) => {
    const times = values(frame, 0);
    const states = values(frame, 1);
    const step = times.length > 1 ? Math.min(...times.slice(1).map((time, i) => time - times[i])) : 1000;
    const found: Json[] = [];
    states.forEach((state, i) => {
      const last = found[found.length - 1];
      if (last && last.state === state && times[i] - last.end <= step) {
        last.end = times[i] + step;
      } else {
        found.push({ state, start: times[i], end: times[i] + step });
      }
    });
    return found.map(({ state, start, end }, i) => {
      const shown = frame.fields[1].display!(state);
      const colour = shown.color ?? colourOf(theme, 'green');
      seen.set(formattedValueToString(shown), colour);
      const pad = Math.min(6, row * 0.1);
      return (
        <rect key={`${index}-${i}`} x={x(start)} y={index * row + pad} width={Math.max(1, x(Math.min(end, range[1])) - x(start))} height={Math.max(1, row - 2 * pad)} fill={colour} fillOpacity={0.8} />
      );
    });
  });
  return (
    <div style={{ position: 'relative' }}>
      <svg width={width} height={height}>
        {boxes}
        {names.map((name, index) => (
          <text key={name} x={left - 8} y={(index + 0.5) * row + 4} textAnchor="end" fontSize={12} fill={text}>
            {name}
          </text>
        ))}
        {ticks(range[0], range[1], 5).map((time) => (
          <text key={time} x={x(time)} y={height - LEGEND - 6} textAnchor="middle" fontSize={12} fill={text}>
            {clock(time)}
          </text>
        ))}
      </svg>
      <Legend items={[...seen.entries()]} theme={theme} top={height - LEGEND + 4} />
    </div>
  );
}

export function BarChart({ frames, panel, theme, width, height }: Props) {
  const frame = frames[0];
  const across = frame.fields.findIndex((field) => getFieldDisplayName(field, frame, frames) === panel.options.xField);
  const bars = frame.fields.filter((field, place) => place !== across && field.type === FieldType.number);
  const names = values(frame, across < 0 ? 0 : across).map(String);
  const top = Math.max(1e-9, ...bars.flatMap((field) => Array.from(field.values as Json) as number[]).filter(Number.isFinite));
  const [left, bottom] = [56, 84];
  const slot = (width - left - 8) / names.length;
  const thick = (slot * 0.72) / bars.length;
  const y = (value: number) => (height - bottom) * (1 - value / (top * 1.05));
  const colours = bars.map((_, i) => colourOf(theme, theme.visualization.palette[i]));
  return (
    <div style={{ position: 'relative' }}>
      <svg width={width} height={height}>
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <g key={share}>
            <line x1={left} x2={width - 8} y1={y(share * top)} y2={y(share * top)} stroke={theme.colors.border.weak} />
            <text x={left - 6} y={y(share * top) + 4} textAnchor="end" fontSize={12} fill={theme.colors.text.secondary}>
              {shownValue(bars[0], share * top)}
            </text>
          </g>
        ))}
        {bars.flatMap((field, i) =>
          (Array.from(field.values as Json) as number[]).map((value, j) => (
            <rect key={`${i}-${j}`} x={left + j * slot + slot * 0.14 + i * thick} width={Math.max(1, thick - 1)} y={y(value || 0)} height={height - bottom - y(value || 0)} fill={colours[i]} fillOpacity={0.8} />
          ))
        )}
        {names.map((name, i) => (
          <text key={name} transform={`translate(${left + (i + 0.6) * slot},${height - bottom + 14}) rotate(-30)`} textAnchor="end" fontSize={11} fill={theme.colors.text.secondary}>
            {name}
          </text>
        ))}
      </svg>
      <Legend items={bars.map((field, i) => [getFieldDisplayName(field, frame, frames), colours[i]])} theme={theme} top={height - LEGEND + 4} />
    </div>
  );
}

export function Trend({ frames, panel, theme, width, height }: Props) {
  const frame = frames[0];
  const name = (field: Json) => getFieldDisplayName(field, frame, frames);
  const across = frame.fields.find((field) => name(field) === panel.options.xField) ?? frame.fields[0];
  const lines = frame.fields.filter((field) => field !== across && field.type === FieldType.number);
  const [left, bottom] = [48, 22 + LEGEND];
  const x = (value: number) => left + value * (width - left - 8);
  const y = (value: number) => 6 + (height - bottom - 6) * (1 - value);
  const points = (field: Json) => (Array.from(across.values as Json) as number[]).map((value, i) => [x(value), y(field.values[i])]).filter(([, b]) => Number.isFinite(b));
  const path = (field: Json) => points(field).map(([a, b], i) => `${i ? 'L' : 'M'}${a},${b}`).join('');
  const of = (wanted: string) => lines.find((field) => name(field) === wanted);
  const [lower, upper] = [of('lower'), of('upper')];
  const shown = lines.filter((field) => field !== lower && field !== upper);
  const colours = new Map(shown.map((field, i) => [field, colourOf(theme, theme.visualization.palette[i])]));
  const main = shown[shown.length - 1];
  return (
    <div style={{ position: 'relative' }}>
      <svg width={width} height={height}>
        {[0, 0.25, 0.5, 0.75, 1].map((value) => (
          <g key={value}>
            <line x1={left} x2={width - 8} y1={y(value)} y2={y(value)} stroke={theme.colors.border.weak} />
            <text x={left - 6} y={y(value) + 4} textAnchor="end" fontSize={12} fill={theme.colors.text.secondary}>{shownValue(main, value)}</text>
            <text x={x(value)} y={height - LEGEND - 6} textAnchor={value === 1 ? 'end' : 'middle'} fontSize={12} fill={theme.colors.text.secondary}>{value}</text>
          </g>
        ))}
        {lower && upper && <path d={`${path(upper)}${path({ values: lower.values }).replace(/^M/, 'L').split('L').filter(Boolean).reverse().map((p) => `L${p}`).join('')}Z`} fill={colours.get(main)} fillOpacity={0.2} />}
        {shown.map((field) => (
          <path key={name(field)} d={path(field)} stroke={colours.get(field)} fill="none" strokeWidth={2} strokeDasharray={(field.config.custom as Json).lineStyle ? '12 6' : undefined} />
        ))}
        {points(main).map(([a, b]) => <circle key={a} cx={a} cy={b} r={3.5} fill={colours.get(main)} />)}
      </svg>
      <Legend items={shown.map((field) => [name(field), colours.get(field)!])} theme={theme} top={height - LEGEND + 4} />
    </div>
  );
}

export function Heatmap({ frames, panel, theme, width, height, range }: Props & { range: [number, number] }) {
  const edges = frames.map((frame) => ({ frame, edge: Number((frame.fields[1].labels?.le ?? 'NaN').replace('+Inf', 'Infinity')) })).sort((a, b) => a.edge - b.edge);
  const times = values(edges[0].frame, 0);
  const rows = edges.map(({ frame }, i) => values(frame, 1).map((value, j) => Math.max(0, value - (i ? values(edges[i - 1].frame, 1)[j] ?? 0 : 0))));
  const used = rows.map((row, i) => (row.some((value) => value > 0) ? i : -1)).filter((i) => i >= 0);
  const [first, last] = [Math.max(0, Math.min(...used) - 1), Math.min(rows.length - 1, Math.max(...used) + 1)];
  const shown = rows.slice(first, last + 1);
  const top = Math.max(...shown.flat());
  const [left, bottom] = [64, 22];
  const step = times.length > 1 ? times[1] - times[0] : 1000;
  const x = (ms: number) => left + ((ms - range[0]) / (range[1] - range[0])) * (width - left - 8);
  const cell = (height - bottom) / shown.length;
  const field: Json = edges[0].frame.fields[1];
  return (
    <svg width={width} height={height}>
      {shown.flatMap((row, i) =>
        row.map((value, j) =>
          value > 0 ? <rect key={`${i}-${j}`} x={x(times[j])} width={Math.max(1, x(times[j] + step) - x(times[j]) - 1)} y={(shown.length - 1 - i) * cell} height={cell - 1} fill={colourOf(theme, 'blue')} fillOpacity={0.15 + (0.85 * value) / top} /> : null
        )
      )}
      {shown.map((_, i) => (
        <text key={i} x={left - 6} y={(shown.length - 1 - i) * cell + 4} textAnchor="end" fontSize={12} fill={theme.colors.text.secondary}>
          {Number.isFinite(edges[first + i].edge) ? shownValue(field, edges[first + i].edge) : '+Inf'}
        </text>
      ))}
      {ticks(range[0], range[1], 5).map((time) => (
        <text key={time} x={x(time)} y={height - 6} textAnchor="middle" fontSize={12} fill={theme.colors.text.secondary}>{clock(time)}</text>
      ))}
    </svg>
  );
}

export function AlertList({ alerts, theme }: { alerts: Json[]; theme: GrafanaTheme2 }) {
  return (
    <div style={{ overflow: 'hidden', height: '100%', fontSize: 13 }}>
      {alerts.map((alert, i) => (
        <div key={i} style={{ display: 'flex', gap: 8, padding: '5px 2px', borderBottom: `1px solid ${theme.colors.border.weak}` }}>
          <i style={{ width: 8, height: 8, borderRadius: 4, marginTop: 6, background: colourOf(theme, alert.state === 'firing' ? 'red' : 'orange') }} />
          <span>
            <b>{alert.labels.alertname}</b> <span style={{ color: theme.colors.text.secondary }}>{[alert.labels.model_name, alert.labels.feature].filter(Boolean).join(', ')}</span>
          </span>
          <span style={{ marginLeft: 'auto', color: theme.colors.text.secondary }}>{alert.state}</span>
        </div>
      ))}
    </div>
  );
}
