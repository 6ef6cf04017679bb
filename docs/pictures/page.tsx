// Draws a dashboard with Grafana's own components, from the answers that `collect.py` has asked for.

import { DataFrame, createTheme, dateTime, FieldType, getFieldDisplayName, LoadingState } from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, Table, ThemeContext, TimeSeries, VizRepeater } from '@grafana/ui';
import React, { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { AlertList, BarChart, Heatmap, StateTimeline, Trend } from './drawn';
import { framesOf, Json } from './frames';

declare const window: Json;
const dashboard: Json = window.DASHBOARD;
const theme = createTheme({ colors: { mode: 'dark' } });
const [CELL, GAP, WIDTH] = [30, 8, 1640];
const column = (WIDTH + GAP) / 24;
const range: [number, number] = [dashboard.from * 1000, dashboard.to * 1000];
const timeRange = { from: dateTime(range[0]), to: dateTime(range[1]), raw: { from: dateTime(range[0]), to: dateTime(range[1]) } };

function numeric(frames: DataFrame[]): Array<{ frame: DataFrame; place: number }> {
  return frames.flatMap((frame) => frame.fields.flatMap((field, place) => (field.type === FieldType.number ? [{ frame, place }] : [])));
}

function lastOf(values: Json): number | null {
  const known = Array.from(values as Json).filter((value) => value !== null && !Number.isNaN(value));
  return known.length ? (known[known.length - 1] as number) : null;
}

function displays(frames: DataFrame[], sparkline: boolean): Json[] {
  const found = numeric(frames);
  return found.map(({ frame, place }) => {
    const field = frame.fields[place];
    const title = getFieldDisplayName(field, frame, frames);
    const shown = { ...field.display!(lastOf(field.values)), title: found.length > 1 ? title : undefined };
    const line = sparkline && field.values.length > 1 ? { y: field, x: frame.fields.find((each) => each.type === FieldType.time) } : undefined;
    return { shown, line };
  });
}

function Stats({ frames, panel, width, height }: Json) {
  const found = displays(frames, panel.options.graphMode === 'area');
  return (
    <VizRepeater width={width} height={height} orientation={panel.options.orientation} itemSpacing={6} renderCounter={1} source={found} getValues={() => found}
      renderValue={({ value, width: w, height: h }: Json) => (
        <BigValue theme={theme} width={w} height={h} value={value.shown} sparkline={value.line} colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode={panel.options.justifyMode} textMode={panel.options.textMode} />
      )}
    />
  );
}

function Gauges({ frames, panel, width, height }: Json) {
  const found = displays(frames, false);
  const field = numeric(frames)[0];
  const config = field.frame.fields[field.place].config;
  const top = Math.max(...numeric(frames).map(({ frame, place }) => lastOf(frame.fields[place].values) ?? 0));
  return (
    <VizRepeater width={width} height={height} orientation="horizontal" autoGrid={true} itemSpacing={8} renderCounter={1} source={found} getValues={() => found}
      renderValue={({ value, width: w, height: h }: Json) => (
        <BarGauge theme={theme} width={w} height={h} orientation={panel.options.orientation} displayMode={panel.options.displayMode} value={value.shown} field={{ ...config, min: config.min ?? 0, max: config.max ?? top }} display={field.frame.fields[field.place].display} showUnfilled={panel.options.showUnfilled} text={{}} itemSpacing={8} lcdCellWidth={12} />
      )}
    />
  );
}

function Tables({ frames, panel, width, height }: Json) {
  const frame = { ...frames[0], fields: frames[0].fields.filter((field: Json) => !field.config.custom?.hidden) };
  return <Table data={frame} width={width} height={height} initialSortBy={panel.options.sortBy} cellHeight={panel.options.cellHeight} />;
}

function Lines({ frames, panel, width, height }: Json) {
  return <TimeSeries frames={frames} timeRange={timeRange as Json} timeZone="utc" width={width} height={height} legend={panel.options.legend} options={panel.options}>{() => null}</TimeSeries>;
}

const KINDS: Record<string, (props: Json) => Json> = {
  timeseries: Lines, stat: Stats, bargauge: Gauges, table: Tables, 'state-timeline': StateTimeline, barchart: BarChart, trend: Trend, heatmap: Heatmap,
};

function Body({ panel, width, height }: Json) {
  const [frames, setFrames] = useState<DataFrame[] | null>(null);
  useEffect(() => { framesOf(panel, theme).then(setFrames); }, []);
  if (panel.type === 'alertlist') {
    return <AlertList alerts={dashboard.alerts} theme={theme} />;
  }
  const Kind = KINDS[panel.type];
  if (frames === null) {
    return null;
  }
  if (!frames.length || frames.every((frame) => frame.length === 0)) {
    const text = panel.fieldConfig.defaults.noValue ?? 'No data';
    return <div style={{ display: 'flex', height, alignItems: 'center', justifyContent: 'center', textAlign: 'center', color: theme.colors.text.secondary, padding: 16 }}>{text}</div>;
  }
  return <Kind frames={frames} panel={panel} theme={theme} width={width} height={height} range={range} />;
}

class Guard extends React.Component<Json, Json> {
  state = { error: null as Json };
  static getDerivedStateFromError(error: Json) { return { error }; }
  render() { return this.state.error ? <pre style={{ color: 'red' }}>{String(this.state.error.stack ?? this.state.error)}</pre> : this.props.children; }
}

function Placed({ panel }: Json) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * column - GAP, h * (CELL + GAP) - GAP];
  const style: Json = { position: 'absolute', left: x * column, top: y * (CELL + GAP), width, height };
  if (panel.type === 'row') {
    const more = panel.panels.length ? ` (${panel.panels.length} panels)` : '';
    return <div style={{ ...style, lineHeight: `${height}px`, fontSize: 16 }}><span style={{ color: theme.colors.text.secondary, marginRight: 8 }}>{panel.collapsed ? '›' : '⌄'}</span><b style={{ fontWeight: 500 }}>{panel.title}</b><span style={{ color: theme.colors.text.secondary }}>{panel.collapsed ? more : ''}</span></div>;
  }
  return (
    <div style={style}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height} loadingState={LoadingState.Done} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(w: number, h: number) => <Guard><Body panel={panel} width={w} height={h} /></Guard>}
      </PanelChrome>
    </div>
  );
}

function Page() {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }: Json) => gridPos.y + gridPos.h));
  const chip: Json = { background: theme.components.input.background, border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '5px 10px', fontSize: 13 };
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ width: WIDTH, padding: 16, background: theme.colors.background.canvas, fontFamily: theme.typography.fontFamily }}>
        <div style={{ display: 'flex', alignItems: 'center', marginBottom: 14 }}>
          <span style={{ fontSize: 20 }}>{dashboard.title}</span>
          <span style={{ ...chip, marginLeft: 'auto', border: 0, background: 'none', color: theme.colors.text.secondary }}>Preview: the demo's data, drawn with Grafana's components</span>
        </div>
        <div style={{ display: 'flex', gap: 12, flexWrap: 'wrap', marginBottom: 16 }}>
          {dashboard.shown.map(({ label, value }: Json) => <span key={label} style={{ display: 'flex' }}><span style={{ ...chip, background: theme.colors.background.secondary, borderRight: 0 }}>{label}</span><span style={{ ...chip, color: theme.colors.text.primary }}>{value}</span></span>)}
        </div>
        <div style={{ position: 'relative', height: bottom * (CELL + GAP) }}>
          {dashboard.panels.map((panel: Json) => <Placed key={panel.id} panel={panel} />)}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

createRoot(document.getElementById('root')!).render(<Guard><Page /></Guard>);
